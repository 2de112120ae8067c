import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { writeClaim } from '../../crypto/claim.ts';
import { ed25519FromSeed } from '../../crypto/curves.ts';
import { signDayKeys } from '../../crypto/day-keys.ts';
import { parsePairingStatement } from '../../crypto/pairing-statement.ts';
import { writePolicyFile } from '../../crypto/policy.ts';
import { makeDayKey } from '../../crypto/session.ts';
import { POLICY_PATH } from '../../wire/enrolment.ts';
import { segmentPath, sessionPath, UNFINISHED_PATH } from '../../wire/upload.ts';
import { firstPolicyFile, termsOf } from '../crypto/policy-maker.ts';
import { exitOf } from '../exit-of.ts';
import { makeSegment, makeSegmentHeader, makeSession } from './camera-double.ts';
import { enrolAt, equipped, makeClaim, newcomer } from './newcomer.ts';
import { ask, openUpload, trustServer } from './test-server.ts';

/** `oriel server camera` and `oriel server policy`, beside a server that runs in a process of its own. */

// Each command is a process of its own, and the machine may be busy.

const ORIEL = fileURLToPath(new URL('../../oriel', import.meta.url));
const run = promisify(execFile);
let room: string;
let testServer: string;
let server: ChildProcess;
let port: number;

beforeAll(async () => {
  room = mkdtempSync(join(tmpdir(), 'oriel-cameras-'));
  testServer = join(room, 'house');
  await oriel('init', testServer, '--host', 'localhost', '--host', '127.0.0.1');
  server = spawn(
    ORIEL,
    ['server', 'run', testServer, '--port', '0', '--address', '127.0.0.1', '--certificate-days', '3'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  for await (const line of createInterface({ input: server.stdout! })) {
    const said = JSON.parse(line);
    port = said.port;
    if (said.msg === 'listening') break;
  }
  server.stdout!.resume();
  trustServer(readFileSync(join(testServer, 'identity', 'server-ca.pem'), 'utf8'));
});

afterAll(async () => {
  server.kill('SIGKILL');
  await exitOf(server);
  rmSync(room, { recursive: true });
});

async function oriel(...args: string[]): Promise<string> {
  return (await run(ORIEL, ['server', ...args])).stdout;
}
const cameras = (verb: string, ...words: string[]) =>
  oriel('camera', verb, testServer, ...words, '--json').then(JSON.parse);

/** A camera that came with a claim given on the command line. */
async function enrolled(owner?: Uint8Array) {
  const made = makeClaim();
  const claim = owner === undefined ? made : { ...made, terms: { ...made.terms, owner } };
  await cameras('claim', writeClaim({ ...claim.claim, owner: claim.terms.owner }));
  const camera = newcomer();
  const answer = await enrolAt(port, camera, claim);
  expect(answer.status).toBe(200);
  return equipped(camera, answer);
}

test('a claim lets one camera in; the list tells of it; its name can be changed [KEY-02 lives]', async () => {
  const claim = makeClaim();
  const line = writeClaim(claim.claim);
  await cameras('claim', line);
  await expect(cameras('claim', line)).rejects.toMatchObject({
    stderr: expect.stringContaining('[CLAIM_KNOWN]'),
  });
  expect((await cameras('list')).claims).toMatchObject([
    { tokenHash: Buffer.from(claim.claim.tokenHash).toString('hex') },
  ]);
  expect(await oriel('camera', 'list', testServer)).toContain('a claim waits for a camera until');
  const camera = newcomer();
  expect((await enrolAt(port, camera, claim)).status).toBe(200);
  await cameras('name', camera.id.slice(0, 8), 'Front door');
  const { cameras: list, claims } = await cameras('list');
  expect(claims).toEqual([]);
  expect(list).toMatchObject([
    {
      id: camera.id,
      name: 'Front door',
      state: 'enrolled',
      policy: false,
      lastSeenAt: null,
      revokedAt: null,
    },
  ]);
  const life = Date.parse(list[0].certificate.notAfter) - Date.parse(list[0].enrolledAt);
  expect(Math.round(life / 86_400_000)).toBe(3);
  expect(await oriel('camera', 'list', testServer)).toMatch(
    new RegExp(`^● Front door +never seen .*${camera.id}$`, 'm'),
  );
  const statement = (await oriel('camera', 'statement', testServer, 'Front door')).trim();
  expect(parsePairingStatement(Buffer.from(statement, 'base64url')).origin).toBe(claim.terms.origin);
});

test('a claim that is withdrawn lets nobody in; one that was used cannot be [KEY-07 revoked] [KEY-28 revoked]', async () => {
  const [whole, short, used] = [makeClaim(), makeClaim(), makeClaim()];
  for (const { claim } of [whole, short, used]) await cameras('claim', writeClaim(claim));
  const digits = Buffer.from(short.claim.tokenHash).toString('hex').slice(0, 8);
  expect(await oriel('camera', 'list', testServer)).toContain(`UTC: ${digits}\n`);
  await cameras('withdraw', writeClaim(whole.claim));
  expect(await cameras('withdraw', digits)).toMatchObject({ withdrawn: true });
  for (const claim of [whole, short]) {
    expect((await enrolAt(port, newcomer(), claim)).json.code).toBe('CLAIM_UNKNOWN');
  }
  const camera = newcomer();
  expect((await enrolAt(port, camera, used)).status).toBe(200);
  await expect(cameras('withdraw', writeClaim(used.claim))).rejects.toMatchObject({
    stderr: expect.stringMatching(new RegExp(`${camera.id} came in with this claim: revoke it .CLAIM_USED`)),
  });
  expect((await enrolAt(port, camera, used)).status).toBe(200);
});

test('an admission is withdrawn by the id of the camera', async () => {
  const { id } = newcomer();
  await cameras('admit', id);
  expect((await cameras('list')).admissions).toMatchObject([{ id }]);
  await cameras('withdraw', id);
  expect((await cameras('list')).admissions).toEqual([]);
});

test('a revoked camera is cut off by the running server and refused from then on [TM-32] [KEY-02 revoked]', async () => {
  const camera = await enrolled();
  const session = makeSession(camera);
  await ask(port, camera, 'PUT', sessionPath(session.id), { body: session.bytes });
  const upload = openUpload(port, camera, segmentPath(session.id, 0), 0);
  const { open } = makeSegment(makeSegmentHeader(camera, session));
  upload.write(open);
  await upload.line(({ durable }) => durable === open.length);
  expect(await cameras('revoke', camera.id)).toEqual({ id: camera.id, revoked: true, changed: true });
  expect(await upload.done).toMatchObject({ whole: false });
  expect((await ask(port, camera, 'GET', UNFINISHED_PATH)).json.code).toBe('CAMERA_REVOKED');
  expect(await cameras('revoke', camera.id)).toMatchObject({ changed: false });
  const file = join(testServer, 'footage', camera.id, `000000000001-${session.id}`, '000000.oriel');
  expect(statSync(file).size).toBe(open.length);
});

test('a policy put for a camera is what the camera gets; one it would refuse is not taken', async () => {
  const owner = ed25519FromSeed(new Uint8Array(32).fill(7));
  const camera = await enrolled(owner.publicKey);
  const { publicKey } = await makeDayKey();
  const dayKeys = [signDayKeys({ first: 0, keys: [new Uint8Array(publicKey)] }, owner)];
  const policy = {
    epoch: 1,
    counter: 1,
    viewers: [termsOf(owner.publicKey, 0, ...dayKeys)],
    mode: 'continuous' as const,
    audio: false,
  };
  const policyFor = (id: string, signer = owner, beside = dayKeys) =>
    writePolicyFile({ ...policy, camera: id }, signer, beside);
  const file = join(room, 'policy.json');
  const put = () => oriel('policy', 'put', testServer, file, '--camera', camera.id);
  for (const wrong of [
    policyFor('a'.repeat(32)),
    policyFor(camera.id, ed25519FromSeed(new Uint8Array(32).fill(8))),
    policyFor(camera.id, owner, [signDayKeys({ first: 0, keys: [new Uint8Array(32).fill(9)] }, owner)]),
    firstPolicyFile({ ...policy, camera: camera.id }, owner, dayKeys),
    '{}',
  ]) {
    writeFileSync(file, wrong);
    await expect(put()).rejects.toMatchObject({ stderr: expect.stringContaining('[POLICY_REFUSED]') });
  }
  expect((await ask(port, camera, 'GET', POLICY_PATH)).json.code).toBe('POLICY_NONE');
  writeFileSync(file, policyFor(camera.id));
  await put();
  expect((await ask(port, camera, 'GET', POLICY_PATH)).text).toBe(policyFor(camera.id));
});

const expired = () => writeClaim(makeClaim(-5).claim);
test.each<[string, [string, ...string[]], string]>([
  ['a verb that is none', ['dance'], 'error: '],
  ['a claim that is none', ['claim', 'claim:AAAA'], '[DOCUMENT_MALFORMED]'],
  ['a claim that nobody gave', ['withdraw', writeClaim(makeClaim().claim)], '[CLAIM_UNKNOWN]'],
  ['digits of no claim', ['withdraw', '00000000'], '[CLAIM_AMBIGUOUS]'],
  ['too few digits of a claim', ['withdraw', ''], '[CLAIM_AMBIGUOUS]'],
  ['an expired claim', ['claim', expired()], '[CLAIM_EXPIRED]'],
  ['a camera that is unknown', ['revoke', 'nobody'], '[CAMERA_AMBIGUOUS]'],
  ['a prefix too short', ['revoke', ''], '[CAMERA_AMBIGUOUS]'],
  ['too few words', ['name', 'nobody'], "missing required argument 'name'"],
  ['a request that is none', ['ask', 'nobody', 'dance'], "'dance' is invalid for argument 'request'"],
])('%s is refused with its code', async (_name, [verb, ...words], code) => {
  await expect(oriel('camera', verb, testServer, ...words)).rejects.toMatchObject({
    stderr: expect.stringContaining(code),
  });
});

test('a directory that is no server’s gets no registry', async () => {
  await expect(oriel('camera', 'list', room)).rejects.toMatchObject({
    stderr: expect.stringContaining('[DIRECTORY_MALFORMED]'),
  });
  expect(existsSync(join(room, 'registry.db'))).toBe(false);
});

test.each([['server camera'], ['server camera ask'], ['server policy put']])(
  'oriel %s --help teaches by example',
  async (command) => {
    const { stdout } = await run(ORIEL, [...command.split(' '), '--help']);
    expect(stdout).toMatch(/^ {2}oriel server /m);
  },
);
