// Which worker runs what.

import { batches } from './batches.mjs';
import { flows } from './flows.mjs';
import { graphs } from './graphs.mjs';
import { routed } from './routed.mjs';
import { all, narrow } from './tasks.mjs';

export const sets = { all: { ...all, ...graphs, ...flows, ...batches }, narrow, routed };
export const tasks = { ...sets.all, ...narrow, ...routed };
