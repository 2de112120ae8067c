import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './until.ts';

/** Names of MP4 boxes where they can only be MP4 (ISO/IEC 14496-12): each with what has to stand beside it. */
const BOXES: Record<string, (bytes: Buffer, at: number) => boolean> = {
  // A file type box, as ffmpeg's begin.
  ftypiso: () => true,
  // A fragment begins with its own header box, 16 bytes long.
  moof: (bytes, at) => bytes.toString('latin1', at + 8, at + 12) === 'mfhd',
  // The fragment's media data follow it at the length that it states.
  mdat: (bytes, at) => followsFragment(bytes, at),
  // The decoder's configuration begins with version 1 and a profile: Baseline, Main or High.
  avcC: (bytes, at) => bytes[at + 4] === 1 && [66, 77, 100].includes(bytes[at + 5] ?? 0),
};
const LONGEST_FRAGMENT_HEAD = 16 * 1024;

function followsFragment(bytes: Buffer, at: number): boolean {
  const moof = bytes.lastIndexOf('moof', at);
  if (moof < 4 || at - moof > LONGEST_FRAGMENT_HEAD) return false;
  return moof - 4 + bytes.readUInt32BE(moof - 4) === at - 4;
}

/** What of a video lies open in these bytes: names of boxes, and markers as given. Empty for sealed ones. */
export function plaintextIn(bytes: Buffer, markers: readonly string[]): string[] {
  const boxes = Object.entries(BOXES).filter(([name, fits]) =>
    places(bytes, name).some((at) => fits(bytes, at)),
  );
  return [...boxes.map(([name]) => name), ...markers.filter((marker) => bytes.includes(marker))];
}

/** The same for every file under a directory, together. @param bytes how much there was to look at. */
export function plaintextUnder(
  directory: string,
  markers: readonly string[],
): { found: string[]; bytes: number } {
  const found = new Set<string>();
  let bytes = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const content = readFileSync(join(entry.parentPath, entry.name));
    bytes += content.length;
    for (const name of plaintextIn(content, markers)) found.add(name);
  }
  return { found: [...found], bytes };
}

function places(bytes: Buffer, text: string): number[] {
  const found: number[] = [];
  for (let at = bytes.indexOf(text); at !== -1; at = bytes.indexOf(text, at + 1)) found.push(at);
  return found;
}

/** What crosses loopback to or from a port while `act` runs, as a packet capture file's bytes. */
export async function recordingPackets(
  port: number,
  path: string,
  act: () => Promise<void>,
): Promise<Buffer> {
  if (process.getuid?.() !== 0) throw new Error('recording packets needs root: run this test as root');
  const options = ['-i', 'lo', '-s', '0', '-B', '65536', '--immediate-mode', '-U', '-Z', 'root', '-w', path];
  const sniffer = spawn('tcpdump', [...options, `port ${port}`], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  sniffer.stderr.on('data', (chunk) => {
    said += chunk;
  });
  const gone = once(sniffer, 'close');
  try {
    await until('tcpdump listens', () => {
      if (sniffer.exitCode !== null) throw new Error(`tcpdump ended: ${said}`);
      return said.includes('listening on');
    });
    await act();
    await recordedAll(port, path);
  } finally {
    sniffer.kill('SIGINT');
    await gone;
  }
  if (!/^0 packets dropped by kernel$/m.test(said)) throw new Error(`packets were missed: ${said}`);
  return readFileSync(path);
}

/** Waits until a datagram that is sent now, to nobody, is recorded too: everything before it then is. */
async function recordedAll(port: number, path: string): Promise<void> {
  const last = randomBytes(16);
  const socket = createSocket('udp4');
  socket.send(last, port, '127.0.0.1');
  await until('tcpdump has recorded everything', () => readFileSync(path).includes(last));
  socket.close();
}
