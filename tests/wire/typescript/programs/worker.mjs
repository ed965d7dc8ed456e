// A worker: worker.mjs NAME SET SLOTS.

import { sets } from './sets.mjs';
import { hatchet } from './tasks.mjs';

// Our standard input ends when the tests do, however they end.
process.stdin.on('end', () => process.kill(process.pid, 'SIGKILL')).resume();

const [name, set, slots] = process.argv.slice(2);
const worker = await hatchet.worker(name, {
  slots: Number(slots),
  labels: set === 'routed' ? { host: name } : {},
  workflows: Object.values(sets[set]),
});
await worker.start();
