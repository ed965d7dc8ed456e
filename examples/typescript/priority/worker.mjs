// The worker: prints one letter at a time, until Ctrl-C. Start a server with `hatchet server`, then:
// node worker.mjs

import { hatchet, printLetter } from './tasks.mjs';

const worker = await hatchet.worker('priority-worker', { slots: 1, workflows: [printLetter] });
await worker.start();
