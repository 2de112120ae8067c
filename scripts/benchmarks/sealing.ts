import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { AGENT_MALLOC } from '../../launcher/oriel-command.ts';
import type { Bench } from './bench.ts';
import type { Measurement } from './measurement.ts';
import type { SealingRates } from './sealing-loop.ts';

const KIB = 1024;
const CURVE = [KIB, 4 * KIB, 16 * KIB, 64 * KIB, 1024 * KIB];
/** The size that the budget is about. */
const RECORD_BYTES = 64 * KIB;

/**
 * Our sealer against OpenSSL's raw AES-128-GCM, by CPU time. The sealer seals, hashes (SHA-256, for the signed digest)
 * and checksums (CRC-32) every byte; OpenSSL's rate is that of the cipher alone, so the sealer's cipher stands beside it.
 */
export async function sealing({ quick, say }: Bench): Promise<Measurement[]> {
  const seconds = quick ? 1 : 3;
  const version = execFileSync('openssl', ['version'], { encoding: 'utf8' }).split(' ')[1];
  const measurements: Measurement[] = [];
  for (const bytes of CURVE) {
    const size = bytes < 1024 * KIB ? `${bytes / KIB} KiB` : '1 MiB';
    say(`sealing records of ${size}`);
    const raw = opensslRate('aes-128-gcm', bytes, seconds);
    const peer = { what: `OpenSSL ${version}, raw AES-128-GCM`, value: raw };
    const tuned = ourRates(bytes, seconds, true);
    const [what, unit] = [`sealing ${size}`, 'GB/s'];
    if (bytes !== RECORD_BYTES) {
      measurements.push({ name: `sealing-${bytes}`, what, unit, value: tuned.sealer, peer });
      continue;
    }
    const untuned = ourRates(bytes, seconds, false);
    const hash = opensslRate('sha256', bytes, seconds);
    const both = { what: 'OpenSSL, AES-128-GCM and SHA-256', value: 1 / (1 / raw + 1 / hash) };
    const budget = { of: 'ratio', bound: 'at least', limit: 0.3 } as const;
    measurements.push(
      { name: `sealing-${bytes}`, what, unit, value: tuned.sealer, peer, budget },
      {
        name: `sealing-${bytes}-cipher`,
        what: '  its cipher alone',
        unit,
        value: tuned.cipher,
        peer,
        budget,
      },
      { name: `sealing-${bytes}-work`, what: '  to like work', unit, value: tuned.sealer, peer: both },
      { name: `sealing-${bytes}-malloc`, what: '  with untuned malloc', unit, value: untuned.sealer, peer },
    );
  }
  return measurements;
}

function ourRates(bytes: number, seconds: number, tuned: boolean): SealingRates {
  const loop = join(import.meta.dirname, 'sealing-loop.ts');
  const args = ['--disable-warning=ExperimentalWarning', loop, String(bytes), String(seconds)];
  const env = tuned ? { GLIBC_TUNABLES: AGENT_MALLOC } : {};
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', env }));
}

/** GB/s by user time, as `openssl speed` gives it: the last line ends in thousands of bytes a second. */
function opensslRate(algorithm: string, bytes: number, seconds: number): number {
  const args = ['speed', '-seconds', String(seconds), '-bytes', String(bytes), '-evp', algorithm];
  const output = execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const [, thousands] = /([\d.]+)k\s*$/.exec(output) ?? [];
  if (thousands === undefined) throw new Error('not what openssl speed prints');
  return Number(thousands) / 1e6;
}
