import { makeVectors } from './make.ts';
import { makePairingVectors } from './pairing.ts';

const made = process.argv[2] === 'pairing' ? await makePairingVectors() : await makeVectors();
process.stdout.write(`${JSON.stringify(made, undefined, 1)}\n`);
