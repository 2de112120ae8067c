import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Uplink } from '../../agent/uplink/uplink.ts';
import { toHex } from '../../crypto/bytes.ts';
import { judgeRawChain } from '../../crypto/chain-node.ts';
import { readSessionHeader } from '../../crypto/header.ts';
import { type Mark, makeMarkRecord } from '../../crypto/mark.ts';
import { openSegment } from '../../crypto/opener.ts';
import type { DeviceSigner } from '../../crypto/primitives.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { makeRequest } from '../../crypto/request-node.ts';
import { type BegunSession, beginSession } from '../../crypto/session.ts';
import { cameraOfSpki } from '../../crypto/spki-node.ts';
import { systemClock } from '../../host/clock.ts';
import { dial } from '../../host/dialer.ts';
import { systemDisk } from '../../host/disk.ts';
import { certifyCamera, initServer } from '../../server/pki/identity.ts';
import { startServer } from '../../server/server.ts';
import { segmentFileName } from '../../wire/footage-layout.ts';
import { sealSegment, sessionFields } from '../crypto/camera.ts';
import { makeKey } from '../dialer/certificates.ts';
import { recordsOf } from '../e2e/footage-copy.ts';
import { MemoryQueue, type MemorySegment } from './queue.ts';

/** The uplink against the server itself, with sealed segments and signed marks. */

const silent = () => undefined;
const log = { debug: silent, info: silent, warn: silent, error: silent };
const pause = () => new Promise((resolve) => setTimeout(resolve, 20));

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function signerOf(key: KeyObject): DeviceSigner {
  return {
    point: createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-65),
    sign: (message) => sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' }),
  };
}

async function scene() {
  const room = mkdtempSync(join(tmpdir(), 'oriel-gate-'));
  closers.push(() => rmSync(room, { recursive: true }));
  const directory = join(room, 'server');
  const now = new Date();
  const { pin } = await initServer(systemDisk, directory, { hosts: ['localhost'], port: 0, now });
  const pem = makeKey();
  const key = createPrivateKey(pem);
  const request = makeRequest(key, 'camera');
  const { certificate } = await certifyCamera(systemDisk, directory, { request, days: 1, now });
  const start = (port: number) =>
    startServer({
      directory,
      port,
      address: '127.0.0.1',
      releaseTimeMs: now.getTime() - 86_400_000,
      disk: systemDisk,
      log,
    });
  let running = await start(0);
  const { port } = running.server;
  closers.push(() => running.stop());

  const signer = signerOf(key);
  const uplinkOf = (queue: MemoryQueue) => {
    const uplink = new Uplink({
      queue,
      dial: (signal) =>
        dial({
          host: '127.0.0.1',
          port,
          servername: 'localhost',
          key: pem,
          cert: certificate,
          alpn: 'http/1.1',
          judge: (chain) =>
            judgeRawChain(chain, {
              host: 'localhost',
              pins: [pin],
              trustedTimeMs: Date.now(),
              usage: 'serverAuth',
            }),
          timeoutMs: 5000,
          signal,
        }),
      authority: () => 'localhost',
      clock: systemClock,
      random: () => 0.1,
      log,
      makeMark: ({ header }, at) => markOf(header, at, signer),
      makeForeignMark: (header, at) => markOf(header, at, signer, 'unknown'),
    });
    closers.push(() => uplink.stop({ drainMs: 0 }));
    uplink.start();
    return uplink;
  };
  const queue = new MemoryQueue();
  const restart = async () => {
    await running.stop();
    running = await start(port);
  };
  return { directory, queue, uplink: uplinkOf(queue), uplinkOf, signer, restart, key };
}

function markOf(header: Uint8Array, at: number, signer: DeviceSigner, kind: Mark['kind'] = 'cut') {
  const nothing = { vouchedRecords: 0, vouchedDigest: new Uint8Array(32), lostUs: 0, timeMs: Date.now() };
  const place = { headerHash: nodePrimitives.sha256(header), at };
  return makeMarkRecord({ kind, placed: true, ...nothing }, place, signer, nodePrimitives.crc32);
}

/** How a file of the server's opens; with some of its records taken away, too. */
async function opened(bytes: Uint8Array, { header, secret }: BegunSession, taken = 0) {
  const records = recordsOf(Buffer.from(bytes));
  const left = [bytes.subarray(0, 72), ...records.slice(0, records.length - 1 - taken), records.at(-1)!];
  const session = { header: await readSessionHeader(header, nodePrimitives), secret };
  return openSegment(Buffer.concat(left), session, nodePrimitives);
}

async function session(signer: DeviceSigner) {
  const fields = sessionFields();
  const begun = await beginSession(fields, [], signer, nodePrimitives);
  return { begun, stored: { id: toHex(fields.id), number: fields.number, header: begun.header } };
}

function atServer(directory: string, key: KeyObject, segment: MemorySegment): Buffer {
  const camera = cameraOfSpki(createPublicKey(key).export({ type: 'spki', format: 'der' }));
  const { id, number } = segment.session;
  const session = `${String(number).padStart(12, '0')}-${id}`;
  const file = segmentFileName(segment.sequence);
  return readFileSync(join(directory, 'footage', camera, session, file));
}

test('sealed segments arrive byte for byte, through a restart of the server, a cut one with its mark', async () => {
  const { directory, queue, uplink, signer, restart, key } = await scene();
  const { begun, stored } = await session(signer);
  const fragments = Array.from({ length: 12 }, () => randomBytes(30_000));
  for (let sequence = 0; sequence < 3; sequence++) {
    const { sealer, frames } = await sealSegment(begun, signer, fragments, sequence);
    const segment = queue.begin(stored, sealer.header);
    for (const [index, { bytes }] of frames.entries()) {
      if (sequence === 1 && index === 6) await restart();
      if (sequence === 2 && index === 6) break;
      queue.append(segment, bytes);
      await pause();
    }
  }
  const last = queue.all.at(-1)!;
  while (last.base < last.end) await pause();
  queue.mark(last, 'cut');
  while (queue.segments().length > 0) await pause();

  for (const segment of queue.all.slice(0, 2)) {
    expect(Buffer.compare(atServer(directory, key, segment), segment.bytes)).toBe(0);
  }
  const cut = atServer(directory, key, last);
  expect(Buffer.compare(cut.subarray(0, last.end), last.bytes)).toBe(0);
  expect(cut.length).toBe(last.end + markOf(last.header, 0, signer).length);
  expect(await opened(cut, begun)).toMatchObject({ verdict: 'cut', records: 6, mark: { vouchedRecords: 0 } });
  expect(uplink.stats()).toMatchObject({ refusals: {}, parked: 0, serverLost: 0 });
});

test('[FC-37] what a former run left without an end is ended with a mark, before which nothing can be taken away [TM-13]', async () => {
  const first = await scene();
  const { begun, stored } = await session(first.signer);
  const { sealer, frames } = await sealSegment(begun, first.signer, [randomBytes(500)]);
  const segment = first.queue.begin(stored, sealer.header);
  first.queue.append(segment, frames[0]!.bytes, frames[1]!.bytes);
  while (segment.base < segment.end) await pause();
  await first.uplink.stop({ drainMs: 0 });

  const second = first.uplinkOf(new MemoryQueue());
  while (second.stats().foreignMarks < 1) await pause();
  const bytes = atServer(first.directory, first.key, segment);
  expect(await opened(bytes, begun)).toMatchObject({
    verdict: 'open',
    records: 2,
    mark: { kind: 'unknown' },
  });
  for (const taken of [1, 2]) {
    await expect(opened(bytes, begun, taken)).rejects.toMatchObject({ code: 'MARK_FORGED' });
  }
});
