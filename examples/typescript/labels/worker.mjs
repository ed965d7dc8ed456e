// Two workers with different labels, until Ctrl-C. In production each of them is a process on a
// machine of its own; here both are in one. Start a server with `hatchet server`, then:
// node worker.mjs

import { hatchet, store, transcribe } from './tasks.mjs';

const workflows = [transcribe, store];
const small = await hatchet.worker('labels-small', {
  slots: 5,
  labels: { host: 'small', memory: 8 },
  workflows,
});
const large = await hatchet.worker('labels-worker', {
  slots: 5,
  labels: { host: 'large', memory: 64 },
  workflows,
});
await Promise.all([small.start(), large.start()]);
