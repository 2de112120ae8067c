import { makeVectors } from './make.ts';
import { makePairingVectors } from './pairing.ts';
import { makePinsVectors } from './pins.ts';
import { makePoliciesVectors } from './policies.ts';
import { makeReportsVectors } from './reports.ts';
import { makeSnapshotsVectors } from './snapshots.ts';

const MAKERS = {
  v1: makeVectors,
  pairing: makePairingVectors,
  pins: makePinsVectors,
  policies: makePoliciesVectors,
  reports: makeReportsVectors,
  snapshots: makeSnapshotsVectors,
};
const made = await MAKERS[(process.argv[2] ?? 'v1') as keyof typeof MAKERS]();
process.stdout.write(`${JSON.stringify(made, undefined, 1)}\n`);
