// Run tasks that choose their worker: node run.mjs, while worker.mjs runs.

import { store, transcribe } from './tasks.mjs';

console.log('transcribed on', (await transcribe.run({})).madeOn);
console.log('stored on', (await store.run({})).madeOn);
process.exit(0);
