import {
  checkCertificate,
  checkClock,
  checkConfiguration,
  checkDeviceKey,
  checkDirectory,
  checkFfmpeg,
  checkPins,
  checkSetupCode,
  checkSource,
  checkSpool,
} from './camera-checks.ts';
import type { Facts } from './facts.ts';
import type { Finding, Verdict } from './finding.ts';
import {
  checkCoreDumps,
  checkFirewall,
  checkInspector,
  checkPorts,
  checkSwap,
  checkUsers,
} from './machine-checks.ts';

const CHECKS = {
  directory: checkDirectory,
  'device key': checkDeviceKey,
  configuration: checkConfiguration,
  pins: checkPins,
  'setup code': checkSetupCode,
  certificate: checkCertificate,
  clock: checkClock,
  spool: checkSpool,
  ffmpeg: checkFfmpeg,
  source: checkSource,
  users: checkUsers,
  inspector: checkInspector,
  ports: checkPorts,
  swap: checkSwap,
  'core dumps': checkCoreDumps,
  'packet filter': checkFirewall,
} as const satisfies Readonly<Record<string, (facts: Facts) => Verdict>>;

export type CheckName = keyof typeof CHECKS;

/** Every check, in the order in which they are shown. */
export function judge(facts: Facts): Finding[] {
  return Object.entries(CHECKS).map(([check, judgeOne]) => ({ check, ...judgeOne(facts) }));
}
