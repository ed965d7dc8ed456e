// The worker: runs the task until Ctrl-C. Start a server with `hatchet server`, then: node worker.mjs

import { hatchet, tellStory } from './tasks.mjs';

const worker = await hatchet.worker('streaming-worker', { slots: 10, workflows: [tellStory] });
await worker.start();
