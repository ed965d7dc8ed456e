// The worker: runs the tasks until Ctrl-C. Start a server with `hatchet server`, then: node worker.mjs

import { countWords, hatchet, label } from './tasks.mjs';

const worker = await hatchet.worker('batch-worker', { slots: 10, workflows: [label, countWords] });
await worker.start();
