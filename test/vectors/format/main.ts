import { makeVectors } from './make.ts';

process.stdout.write(`${JSON.stringify(await makeVectors(), undefined, 1)}\n`);
