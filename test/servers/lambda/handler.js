'use strict'
// A function that is a real gg worker: the worker is started once for each
// instance, is a client of the Runtime API that is served here, and gets the
// events of the function.  GG_FAULTS names a folder: faults.json in it says which
// steps fail the first time they come, by the first byte of their hash:
// { "throw": [0, 9], "timeout": [10, 19], ... }, both ends included.  "memory": N are
// the first N steps that come to a function of little memory: how many do is up to
// how long they take there.
const { spawn } = require('node:child_process')
const { createHash } = require('node:crypto')
const fs = require('node:fs')
const http = require('node:http')

const api = '/2018-06-01/runtime/invocation/'
const faults = process.env.GG_FAULTS
// Keys of its own, as the role of a function gives them: for the remote.
const role = process.env.GG_ROLE_KEY_ID ? { AWS_ACCESS_KEY_ID: process.env.GG_ROLE_KEY_ID,
  AWS_SECRET_ACCESS_KEY: process.env.GG_ROLE_SECRET } : {}
let worker = null, starting = null, port = 0
let waiting = null              // the worker's open "next"
let current = null              // the event on its way, and its promise
let n = 0

function body(req) {
  return new Promise((resolve) => {
    const parts = []
    req.on('data', (d) => parts.push(d))
    req.on('end', () => resolve(Buffer.concat(parts)))
  })
}

function hand() {
  if (!waiting || !current || current.handed) return
  current.handed = true
  waiting.writeHead(200, {
    'Lambda-Runtime-Aws-Request-Id': current.id,
    'Lambda-Runtime-Deadline-Ms': String(Date.now() + 60000),
    'Content-Type': 'application/json',
  })
  waiting.end(current.text)
  waiting = null
}

const server = http.createServer(async (req, res) => {
  if (req.method === 'GET' && req.url === api + 'next') {
    waiting = res
    hand()
    return
  }
  const text = await body(req)
  res.writeHead(202).end()
  const [id, what] = req.url.slice(api.length).split('/')
  if (!current || id !== current.id) return
  const { resolve, reject } = current
  current = null
  if (what === 'response') resolve(JSON.parse(text))
  else reject(new Error(JSON.parse(text).errorMessage))
})
// Workers wait as long as it takes.
server.requestTimeout = server.headersTimeout = server.keepAliveTimeout = 0

function start() {
  const [file, ...args] = process.env.GG_WORKER.split(' ')
  const w = spawn(file, args, {
    env: { AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`, PATH: process.env.PATH,
      TMPDIR: process.env.TMPDIR, ...role },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  worker = w
  if (faults) fs.appendFileSync(`${faults}/pids`, `${w.pid}\n`)
  w.on('exit', (code, signal) => {
    if (worker === w) worker = null
    waiting = null
    if (!current) return
    const why = signal ? 'signal: terminated' : `exit status ${code}`
    current.reject(new Error(`RequestId: ${current.id} Error: Runtime exited with error: ${why}`))
    current = null
  })
}

async function ready() {
  if (!port) {
    starting = starting || new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
    await starting
    port = server.address().port
  }
  if (!worker) start()
}

function pass(event, context) {
  return new Promise((resolve, reject) => {
    current = { id: context.awsRequestId, text: JSON.stringify(event), resolve, reject }
    hand()
  })
}

// Of all instances.
function isFirst(name) {
  try {
    fs.mkdirSync(`${faults}/${name}`)
    return true
  } catch (e) {
    return false
  }
}

// Which fault this event is to meet: only the first one that brings this step.
function fault(event, context) {
  if (!faults || !event.steps) return null
  const hash = createHash('sha256').update(event.steps[0].thunk || '').digest()
  const table = JSON.parse(fs.readFileSync(`${faults}/faults.json`))
  const { memory = 0, ...ranges } = table
  const meets = (name) => {
    fs.appendFileSync(`${faults}/log`, `${name}\n`)
    return name
  }
  for (let i = 0; i < memory && context.memoryLimitInMB <= 1024; i++)
    if (isFirst(`memory-${i}`)) return meets('memory')
  for (const [name, [from, to]] of Object.entries(ranges))
    if (hash[0] >= from && hash[0] <= to)
      return isFirst(hash.toString('hex')) ? meets(name) : null
  return null
}

const met = {
  throw: () => { throw new Error('boom') },
  timeout: async () => {
    await new Promise((r) => setTimeout(r, 200))
    throw new Error(`${new Date().toISOString()} 0 Task timed out after 0.20 seconds`)
  },
  memory: () => {
    throw new Error('RequestId: 0 Error: Runtime exited with error: signal: killed')
  },
  // The worker dies while it has the step.
  kill: (event, context) => {
    const answer = pass(event, context)
    setTimeout(() => worker && worker.kill('SIGKILL'), Math.random() * 8)
    return answer
  },
  truncate: async (event, context) => {
    const text = JSON.stringify(await pass(event, context))
    return text.slice(0, text.length / 2)
  },
  // An object that has other bytes than its name says.
  corrupt: async (event, context) => {
    const answer = await pass(event, context)
    for (const id of Object.keys(answer.objects || {}))
      answer.objects[id] = Buffer.from('not this').toString('base64')
    return answer
  },
  // The answer to another step.
  swap: async (event, context) => {
    const answer = await pass(event, context)
    for (const a of answer.answers || []) a.step = a.step.replace(/^./, (c) => (c === '0' ? '1' : '0'))
    return answer
  },
}

module.exports.run = async (event, context) => {
  n++
  await ready()
  const name = fault(event, context)
  return name ? met[name](event, context) : pass(event, context)
}

module.exports.hang = () => new Promise(() => {})

// The worker's answer, and from then on the same at once: for measuring.
const known = new Map()
module.exports.recall = async (event, context) => {
  const key = JSON.stringify(event)
  if (!known.has(key)) {
    await ready()
    known.set(key, await pass(event, context))
  }
  return known.get(key)
}
