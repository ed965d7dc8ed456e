// Count the words of a book, page by page: node run.mjs, while worker.mjs runs.

import { countBook } from './tasks.mjs';

const { count } = await countBook.run({ pages: 100 });
console.log(`${count.toLocaleString('en')} words on 100 pages`);
process.exit(0);
