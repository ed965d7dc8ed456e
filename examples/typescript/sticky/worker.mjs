// Two workers, until Ctrl-C. Start a server with `hatchet server`, then: node worker.mjs

import { film, hatchet } from './tasks.mjs';

const first = await hatchet.worker('sticky-worker', { slots: 5, workflows: [film] });
const second = await hatchet.worker('sticky-second', { slots: 5, workflows: [film] });
await Promise.all([first.start(), second.start()]);
