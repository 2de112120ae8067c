import { execFileSync } from 'node:child_process';

const MAX_BYTES = 256 * 1024 * 1024;

/**
 * What went over TLS at a port, both ways, by the keys that one end wrote down.
 * @param keys an NSS key log (SSLKEYLOGFILE).
 */
export function decryptedPackets(packets: string, port: number, keys: string): Buffer {
  const base = ['-n', '-r', packets, '-o', `tls.keylog_file:${keys}`, '-d', `tcp.port==${port},tls`];
  const rows = tshark([...base, '-T', 'fields', '-e', 'tcp.stream']).split('\n');
  const streams = [...new Set(rows.filter((row) => row !== ''))];
  const follow = streams.flatMap((stream) => ['-z', `follow,tls,raw,${stream}`]);
  const lines = tshark([...base, '-q', ...follow]).split('\n');
  // Lines of the answering side are indented.
  const sides = [/^[0-9a-f]+$/, /^\t[0-9a-f]+$/].map((side) => lines.filter((line) => side.test(line)));
  return Buffer.concat(sides.map((side) => Buffer.from(side.join('').replaceAll('\t', ''), 'hex')));
}

function tshark(args: readonly string[]): string {
  return execFileSync('tshark', args, {
    encoding: 'utf8',
    maxBuffer: MAX_BYTES,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}
