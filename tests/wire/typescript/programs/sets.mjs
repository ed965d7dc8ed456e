// Which worker runs what.

import { graphs } from './graphs.mjs';
import { all, narrow } from './tasks.mjs';

export const sets = { all: { ...all, ...graphs }, narrow };
export const tasks = { ...sets.all, ...narrow };
