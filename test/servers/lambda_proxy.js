'use strict'
// lambda_proxy.js PORT LIMIT FAULTS - before serverless-offline, which takes any
// number of invocations at once and loses none: more than LIMIT are answered with
// 429, and of each invocation whose body's hash begins with a byte below CUT_BELOW
// the first answer, if it is no error, breaks off in its middle.  FAULTS/log gets a line for each.
// Prints its port.
const { createHash } = require('node:crypto')
const fs = require('node:fs')
const http = require('node:http')

const CUT_BELOW = 8
const [port, limit, faults] = process.argv.slice(2)
const agent = new http.Agent({ keepAlive: true, maxSockets: 64 })
const seen = new Set()
let flying = 0

function refuse(res) {
  fs.appendFileSync(`${faults}/log`, 'throttle\n')
  res.writeHead(429, { 'Content-Type': 'application/json',
    'x-amzn-ErrorType': 'TooManyRequestsException' })
  res.end('{"Reason":"ConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}')
}

function forward(req, body, res) {
  const hash = createHash('sha256').update(body).digest()
  const isMeant = hash[0] < CUT_BELOW && !seen.has(hash.toString('hex'))
  flying++
  const there = http.request({ host: '127.0.0.1', port, path: req.url, method: req.method,
    agent, headers: { ...req.headers, host: `127.0.0.1:${port}` } }, (answer) => {
    const parts = []
    answer.on('data', (d) => parts.push(d))
    answer.on('end', () => {
      const text = Buffer.concat(parts)
      const cuts = isMeant && !answer.headers['x-amz-function-error']
      flying--
      res.writeHead(answer.statusCode, { ...answer.headers, 'content-length': text.length })
      if (!cuts) {
        res.end(text)
        return
      }
      seen.add(hash.toString('hex'))
      fs.appendFileSync(`${faults}/log`, 'cut\n')
      res.write(text.subarray(0, text.length / 2), () => res.destroy())
    })
  })
  there.on('error', () => { flying--; res.destroy() })
  there.end(body)
}

const server = http.createServer((req, res) => {
  const parts = []
  if (flying >= limit) {
    req.resume()
    refuse(res)
    return
  }
  req.on('data', (d) => parts.push(d))
  req.on('end', () => forward(req, Buffer.concat(parts), res))
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
