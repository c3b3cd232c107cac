const fs = require('fs');
const { parseArgs } = require('util');
const random = require('./lib/random');

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '0' },
    rate: { type: 'string', default: '0.1' },
    out: { type: 'string' },
  },
});
const next = random(Number(values.seed));
const shape = JSON.parse(fs.readFileSync('shape.json', 'utf8'));
const w = Array.from({ length: shape.inputs }, () => next() - 0.5);
for (let step = 0; step < shape.steps; step++) {
  const x = w.map(() => next() * 2 - 1);
  const error = x.reduce((sum, v, i) => sum + v * w[i], 0) - (x[0] - x[1]);
  w.forEach((_, i) => { w[i] -= Number(values.rate) * error * x[i]; });
}
fs.writeFileSync(values.out, JSON.stringify(w.map((v) => Number(v.toFixed(6)))) + '\n');
