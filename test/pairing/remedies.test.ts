import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { FailureView } from '../../agent/client/failure-tracker.ts';
import { judgeCondition } from '../../agent/health/condition.ts';
import { DAY_MS, SessionFactory } from '../../agent/recording/session-factory.ts';
import { CameraState } from '../../agent/state/camera-state.ts';
import { type AgentStatus, idlePipeline, unpairedStatus } from '../../agent/status/status.ts';
import { utf8 } from '../../crypto/bytes.ts';
import { ed25519FromSeed } from '../../crypto/curves.ts';
import { viewersBelowFloor } from '../../crypto/day-keys.ts';
import { idText } from '../../crypto/header.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { makeViewingKey, writeViewingKey } from '../../crypto/viewing-key.ts';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
import { acceptCamera } from '../../owner/pairing.ts';
import { signPolicy } from '../../owner/sign-policy.ts';
import { readViewingKey } from '../../owner/viewing-key-file.ts';
import { endProcess, ORIEL } from '../../scripts/demonstration/oriel-command.ts';
import { firstPolicyFile } from '../crypto/policy-maker.ts';
import { commandsNamedIn } from '../repository/named-commands.ts';
import { runCommand, wordsOf } from '../repository/run-command.ts';
import { type CameraRun, closeTestServers, TestServer, until } from './test-server.ts';

/**
 * The remedies that a camera's status shows, walked in the state that shows them: the commands are taken from the text
 * itself and run by the real command line.
 */

let testServer: TestServer;
let key: string;
let pins: string[];
/** Of several tests. */
let shared: CameraRun | undefined;
beforeAll(async () => {
  testServer = await TestServer.open();
  const { pin, backupPin } = testServer.configuration;
  pins = ['--server', testServer.origin, '--pin', pin, '--pin', backupPin];
  key = join(testServer.directory, 'me.key');
});
afterEach(() => testServer.stopCameras(shared));
afterAll(closeTestServers);

/** Runs a command as it stands, with a file or an id in the place of each placeholder, and options added. */
function run(
  line: string,
  places: Readonly<Record<string, string>> = {},
  more: string[] = [],
): Promise<string> {
  writeFileSync(key, writeViewingKey(testServer.key), { mode: 0o600 });
  const words = wordsOf(line, { DIR: testServer.serverDirectory, ...places }, more);
  return runCommand(...words).finally(() => {
    testServer.key = readViewingKey(key, { warn: console.error });
  });
}

/** Of a test's id. */
const codeOf = (id: string) => id.slice('REM-'.length);

const shown = async (what: string, look: () => FailureView | undefined, code: string) => {
  const view = await until(`${what}: ${code}, not ${look()?.code}`, () => {
    const trouble = look();
    return trouble?.code === code && trouble;
  });
  return commandsNamedIn(view.wayOut ?? '');
};
const certificate = (camera: CameraRun, code: string) =>
  shown('certificate', () => camera.enrolment.status.trouble, code);
const policy = async (camera: CameraRun, code: string) => shown('policy', () => camera.poll.trouble, code);

async function enrolled(nowMs = Date.now()): Promise<CameraRun> {
  const prepared = await testServer.pair({ nowMs });
  await testServer.claim(prepared);
  const camera = await testServer.camera(prepared.code);
  await camera.enrolled();
  return camera;
}

/** As a registry that was lost has forgotten a camera. */
function forget({ camera }: CameraRun): void {
  const registry = new DatabaseSync(join(testServer.serverDirectory, 'registry.db'), { timeout: 5000 });
  for (const table of ['claims', 'pairings', 'policies', 'health', 'usage'])
    registry.prepare(`DELETE FROM ${table} WHERE camera = ?`).run(camera);
  registry.prepare('DELETE FROM cameras WHERE id = ?').run(camera);
  registry.close();
}

const firewall = () => ['--firewall-state', join(testServer.directory, 'firewall')];
let codes = 0;

/** `oriel keys pair`, its claim, and `oriel camera setup` in the directory of a camera that was stopped. */
async function pairAnew(
  camera: CameraRun,
  setup = 'camera setup CAMERA',
  pair = `keys pair KEY --server URL --pin PIN --out FILE`,
): Promise<CameraRun> {
  const code = join(testServer.directory, `code-${codes++}`);
  const [, server = '', , pin = '', ...backup] = pins;
  const places = { KEY: key, URL: server, PIN: pin, FILE: code };
  const { claim } = JSON.parse(await run(pair, places, [...backup, '--json']));
  await run('server camera claim DIR CLAIM', { CLAIM: claim });
  await camera.stop();
  const source = ['--code', code, '--source', 'test:', ...firewall()];
  await run(setup, { CAMERA: camera.directory.path }, source);
  return testServer.run(camera.directory);
}

describe('a camera that is not let in', () => {
  test('[REM-CLAIM_UNKNOWN] is let in once the server is given the claim', async () => {
    const prepared = await testServer.pair();
    const camera = await testServer.camera(prepared.code);
    const advice = await certificate(camera, 'CLAIM_UNKNOWN');
    expect(advice).toEqual(['server camera claim DIR CLAIM']);
    await run(advice[0] as string, { CLAIM: prepared.claim });
    await camera.enrolled();
    await until('no trouble', () => camera.enrolment.status.trouble === undefined);
  });

  test('[REM-CLAIM_EXPIRED] is let in with another setup code', async () => {
    const prepared = await testServer.pair({ nowMs: Date.now() - 2 * 3_600_000 });
    await testServer.claim(prepared);
    const camera = await testServer.camera(prepared.code);
    expect(await certificate(camera, 'CLAIM_EXPIRED')).toEqual(['keys pair', 'camera setup']);
    await (await pairAnew(camera)).enrolled();
  });

  test('[REM-CLAIM_USED] is let in with another setup code', async () => {
    const prepared = await testServer.pair();
    await testServer.claim(prepared);
    await (await testServer.camera(prepared.code)).enrolled();
    const second = await testServer.camera(prepared.code);
    expect(await certificate(second, 'CLAIM_USED')).toEqual(['keys pair', 'camera setup']);
    await (await pairAnew(second)).enrolled();
  });

  test('[REM-PIN_MISMATCH] is let in with a setup code that has the right pins', async () => {
    const prepared = await testServer.pair({ pins: [`sha256/${Buffer.alloc(32, 7).toString('base64')}`] });
    await testServer.claim(prepared);
    const camera = await testServer.camera(prepared.code);
    const advice = await certificate(camera, 'PIN_MISMATCH');
    expect(advice).toEqual(['keys pair', 'camera setup', 'keys pins']);
    await (await pairAnew(camera)).enrolled();
  });

  test('[REM-DIAL_CONNECT] is let in once the server runs', async () => {
    const prepared = await testServer.pair();
    await testServer.claim(prepared);
    await testServer.stop();
    const camera = await testServer.camera(prepared.code);
    await certificate(camera, 'DIAL_CONNECT');
    await testServer.start();
    await camera.enrolled();
  });

  test('[REM-CLOCK_WRONG] is let in once the server’s clock is set, and asks by itself', async () => {
    const prepared = await testServer.pair();
    await testServer.claim(prepared);
    await testServer.stop();
    await testServer.start({ ...systemClock, now: () => Date.parse('1970-01-02T00:00:00Z') });
    const camera = await testServer.camera(prepared.code);
    await certificate(camera, 'CLOCK_WRONG');
    await testServer.stop();
    await testServer.start();
    await camera.enrolled();
  });

  test('[REM-CAMERA_UNKNOWN] is let in again once it is admitted, or with another setup code after a reset', async () => {
    const camera = await enrolled();
    forget(camera);
    const advice = await certificate(camera, 'CAMERA_UNKNOWN');
    expect(advice).toEqual(['server camera admit DIR CAMERA_ID', 'camera reset']);
    await run(advice[0] as string, { CAMERA_ID: camera.camera });
    await until('no trouble', () => camera.enrolment.status.trouble === undefined);
    expect(await testServer.registry.standing(camera.camera)).toBe('enrolled');

    forget(camera);
    await certificate(camera, 'CAMERA_UNKNOWN');
    await camera.stop();
    await run('camera reset', {}, [camera.directory.path, '--yes', ...firewall()]);
    await (await pairAnew(camera)).enrolled();
  });

  test('[REM-CAMERA_REVOKED] comes in as another camera after a reset; the operator is told the same', async () => {
    const camera = await enrolled();
    await testServer.registry.revoke(camera.camera, Date.now());
    rmSync(camera.directory.certificate);
    expect(await certificate(camera, 'CAMERA_REVOKED')).toEqual(['camera reset', 'keys pair']);
    const admit = run('server camera admit DIR CAMERA_ID', { CAMERA_ID: camera.camera });
    await expect(admit).rejects.toMatchObject({
      code: 'CAMERA_REVOKED',
      message: expect.stringMatching(/oriel camera reset.*oriel keys pair/),
    });
    await camera.stop();
    await run('camera reset', {}, [camera.directory.path, '--yes', ...firewall()]);
    const again = await pairAnew(camera);
    await again.enrolled();
    expect(again.camera).not.toBe(camera.camera);
  });
});

test('a pin of zeros, which means that there is none, is refused wherever a person gives one', async () => {
  const none = `sha256/${'A'.repeat(43)}=`;
  const to = ['--server', testServer.origin, '--pin', none];
  const out = join(testServer.directory, 'none');
  const source = ['--source', 'test:', ...firewall()];
  for (const line of [
    ['keys', 'pair', key, ...to, '--out', out],
    ['keys', 'pair', key, ...pins.slice(0, 4), '--pin', none, '--out', out],
    ['camera', 'init', out, ...to, '--owner', 'A'.repeat(43), ...source],
  ])
    await expect(run(line.join(' '))).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('not of zeros'),
    });
  expect(existsSync(out)).toBe(false);
});

test('[REM-PAIRING_MISSING] a camera that does not wait at the server yet is accepted once it has come', async () => {
  const prepared = await testServer.pair();
  const camera = await testServer.camera(prepared.code);
  const accept = () =>
    run('keys accept', {}, [key, '--server-dir', testServer.serverDirectory, '--camera', camera.camera]);
  const refused = await accept().catch((error) => error);
  const [claim = ''] = commandsNamedIn(refused.message);
  expect([refused.code, claim]).toEqual(['PAIRING_MISSING', 'server camera claim DIR CLAIM']);
  await run(claim, { CLAIM: prepared.claim });
  await camera.enrolled();
  await accept();
  await camera.obeys(1);
});

test('[REM-STORAGE_FAILED] a camera whose server cannot write is let in once it can, and asks by itself', async () => {
  const prepared = await testServer.pair();
  await testServer.claim(prepared);
  const holder = new DatabaseSync(join(testServer.serverDirectory, 'registry.db'));
  holder.exec('BEGIN IMMEDIATE');
  const camera = await testServer.camera(prepared.code);
  const { wayOut } = await until('STORAGE_FAILED', () => {
    const { trouble } = camera.enrolment.status;
    return trouble?.code === 'STORAGE_FAILED' && trouble;
  });
  expect(wayOut).toMatch(/another process holds its registry\); the camera asks again by itself/);
  holder.exec('ROLLBACK');
  holder.close();
  await camera.enrolled();
  await until('no trouble', () => camera.enrolment.status.trouble === undefined);
});

test('[REM-NOT_RUNNING] [REM-CAMERA_OFFLINE] a camera that does not run is started by the command that its status names', async () => {
  const prepared = await testServer.camera((await testServer.pair()).code);
  await prepared.stop();
  const { directory } = prepared;
  const status = () =>
    run('camera status CAMERA --json', { CAMERA: directory.path }).catch(({ message }) => message);
  const update = () =>
    run('camera update CAMERA FILE', { CAMERA: directory.path, FILE: directory.config }).catch(
      (error) => error,
    );
  expect(await status()).toContain('"NOT_RUNNING"');
  const { code: offline, message } = await update();
  const [start = ''] = commandsNamedIn(message);
  expect([offline, start]).toEqual(['CAMERA_OFFLINE', `camera run ${directory.path}`]);
  expect(await status()).toContain(`"oriel ${start}"`);
  const camera = spawn(ORIEL, start.split(' '), { stdio: 'ignore' });
  try {
    await until('it runs', () => existsSync(directory.status));
    expect(await status()).not.toContain('NOT_RUNNING');
    // It does not run from slots, which is another matter.
    expect(await update()).toMatchObject({ code: 'USAGE' });
  } finally {
    await endProcess(camera);
  }
});

describe('a camera that its owner cannot accept', () => {
  const PAIR_ANEW = [
    'camera reset CAMERA --yes',
    'server camera revoke DIR CAMERA_ID',
    'keys pair KEY --server URL --pin PIN --out FILE',
  ];
  const statementOf = async (camera: CameraRun) =>
    (await testServer.registry.pairings()).find((each) => each.camera === camera.camera)?.statement ??
    new Uint8Array();
  const refusal = async (camera: CameraRun, viewingKey = testServer.key) =>
    acceptCamera(viewingKey, await statementOf(camera), { audio: false, nowMs: Date.now() }).catch(
      (error) => error,
    );

  /** What the refusal advises, step by step; then the owner accepts all that waits. */
  async function beginAnew(camera: CameraRun, advice: readonly string[]): Promise<void> {
    const [reset = '', revoke = '', pair = ''] = advice;
    await camera.stop();
    await run(reset, { CAMERA: camera.directory.path }, firewall());
    await run(revoke, { CAMERA_ID: camera.camera });
    const again = await pairAnew(camera, 'camera setup CAMERA', pair);
    await again.enrolled();
    await run('keys accept KEY --server-dir DIR', { KEY: key });
    await again.obeys(1);
  }

  test('[REM-PAIRING_EXPIRED] for its code expired meanwhile comes in as another with the next', async () => {
    // A server whose clock is behind lets it in.
    const nowMs = Date.now() - 2 * 3_600_000;
    const prepared = await testServer.pair({ nowMs });
    await testServer.claim(prepared);
    await testServer.stop();
    await testServer.start({ ...systemClock, now: () => nowMs });
    const camera = await testServer.camera(prepared.code);
    await camera.enrolled();
    await testServer.stop();
    await testServer.start();
    const { code, message } = await refusal(camera);
    const advice = commandsNamedIn(message);
    expect([code, ...advice]).toEqual(['PAIRING_EXPIRED', ...PAIR_ANEW]);
    await beginAnew(camera, advice);
  });

  test('[REM-PAIRING_FORGED] for what waits at the server was altered comes in as another with the next', async () => {
    const camera = await enrolled();
    const altered = Uint8Array.from(await statementOf(camera));
    altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1;
    const registry = new DatabaseSync(join(testServer.serverDirectory, 'registry.db'), { timeout: 5000 });
    registry.prepare('UPDATE pairings SET statement = ? WHERE camera = ?').run(altered, camera.camera);
    registry.close();
    const { code, message } = await refusal(camera);
    const advice = commandsNamedIn(message);
    expect([code, ...advice]).toEqual(['PAIRING_FORGED', ...PAIR_ANEW]);
    await beginAnew(camera, advice);
  });

  test('[REM-PAIRING_USED] for another has used its code comes in with the next', async () => {
    const prepared = await testServer.pair();
    await testServer.claim(prepared);
    const first = await testServer.camera(prepared.code);
    await first.enrolled();
    await testServer.accept(first.camera);
    const second = await testServer.camera(prepared.code);
    const { statement = '' } = JSON.parse(readFileSync(second.directory.pairing, 'utf8'));
    const file = join(testServer.directory, 'statement-of-second');
    writeFileSync(file, statement);
    const accept = run('keys accept', {}, [key, '--statement', file, '--out', `${file}.json`]);
    const { code, message } = await accept.catch((error) => error);
    const [reset = '', pair = ''] = commandsNamedIn(message);
    expect([code, reset, pair]).toEqual(['PAIRING_USED', PAIR_ANEW[0], PAIR_ANEW[2]]);
    await second.stop();
    await run(reset, { CAMERA: second.directory.path }, firewall());
    const again = await pairAnew(second, 'camera setup CAMERA', pair);
    await again.enrolled();
    await run('keys accept', {}, [key, '--server-dir', testServer.serverDirectory, '--camera', again.camera]);
    await again.obeys(1);
  });

  test('[REM-PAIRING_UNKNOWN] with an old copy of the key is accepted with the key that made its code', async () => {
    const copy = testServer.key;
    // No code that the copy remembers ends in the same second.
    const camera = await enrolled(Date.now() - 60_000);
    const { code, message } = await refusal(camera, copy);
    expect([code, ...commandsNamedIn(message)]).toEqual(['PAIRING_UNKNOWN', ...PAIR_ANEW]);
    expect(message).toContain('use the viewing key that made the setup code');
    await testServer.accept(camera.camera);
    await camera.obeys(1);
  });
});

describe('a policy', () => {
  let camera: CameraRun;
  let file: string;
  let counter = 0;
  const inForce = () => camera.watch.inForce.policy.counter;
  const put = (text: string) => testServer.registry.putPolicy(camera.camera, utf8(text), Date.now());
  const sign = (signer = testServer.key, id = camera.camera) =>
    signPolicy(signer, { camera: id, name: '', audio: false, dayKey: undefined });

  /** Obeys what its owner signs next, as the remedy says. */
  async function signNext(advice: readonly string[]): Promise<void> {
    expect(advice.slice(-2)).toEqual(['keys policy', 'server policy put DIR FILE --camera CAMERA_ID']);
    await run('keys policy', {}, [key, '--camera', camera.camera, '--out', file, '--force']);
    await run(advice.at(-1) as string, { FILE: file, CAMERA_ID: camera.camera });
    counter += 1;
    await camera.obeys(counter);
    await until('no trouble', () => camera.poll.trouble === undefined);
  }

  beforeAll(async () => {
    camera = await enrolled();
    shared = camera;
    file = join(testServer.directory, 'policy.json');
  });

  test('[REM-POLICY_NONE] comes once the owner accepts the camera', async () => {
    const advice = await policy(camera, 'POLICY_NONE');
    expect(advice).toEqual(['keys accept']);
    const of = ['--server-dir', testServer.serverDirectory, '--camera', camera.camera];
    await run(advice[0] as string, {}, [key, ...of]);
    counter = 1;
    await camera.obeys(1);
    await until('no trouble', () => camera.poll.trouble === undefined);
  });

  test.each<[string, () => Promise<string> | string]>([
    ['REM-DOCUMENT_MALFORMED', () => '{"policy":'],
    [
      'REM-DOCUMENT_FORGED',
      async () => sign(await makeViewingKey('x', new Uint8Array(32).fill(9), 1)).policyFile,
    ],
    ['REM-CAMERA_FOREIGN', () => sign(testServer.key, 'a'.repeat(32)).policyFile],
    ['REM-POLICY_REFUSED', () => sign({ ...testServer.key, cameras: [] }).policyFile],
    [
      'REM-POLICY_OUTDATED',
      () => {
        const owner = ed25519FromSeed(testServer.key.seed);
        const { dayKeys } = JSON.parse(sign().policyFile);
        return firstPolicyFile({ ...camera.watch.inForce.policy, counter: 99 }, owner, dayKeys);
      },
    ],
  ])('[%s] that is refused gives way to the next that its owner signs', async (id, bring) => {
    await put(await bring());
    const advice = await policy(camera, codeOf(id));
    expect(inForce()).toBe(counter);
    await signNext(advice);
  });

  test.each([
    ['REM-DAY_KEYS_MISSING', 0],
    ['REM-DAY_KEYS_UNNAMED', 2],
  ])('[%s] with other day keys gives way to the file that its owner signed', async (id, times) => {
    await run('keys policy', {}, [key, '--camera', camera.camera, '--out', file, '--force']);
    const signed = JSON.parse(sign().policyFile);
    const strange = JSON.parse(sign(await makeViewingKey('x', new Uint8Array(32).fill(9), 1)).policyFile);
    await put(
      JSON.stringify({ ...signed, dayKeys: times === 0 ? [] : [...signed.dayKeys, ...strange.dayKeys] }),
    );
    const advice = await policy(camera, codeOf(id));
    expect(advice).toEqual(['keys policy there again', 'server policy put DIR FILE --camera CAMERA_ID']);
    await run(advice[1] as string, { FILE: file, CAMERA_ID: camera.camera });
    counter += 1;
    await camera.obeys(counter);
    await until('no trouble', () => camera.poll.trouble === undefined);
  });
});

test('[REM-POLICY_MISSING] a policy that its file was lost of comes again once the owner accepts the camera again', async () => {
  const camera = await enrolled();
  await testServer.accept(camera.camera);
  await camera.obeys(1);
  await camera.stop();
  rmSync(camera.directory.policy);
  const { code, message } = await camera.watch.check().catch((error) => error);
  const advice = commandsNamedIn(message);
  expect([code, ...advice]).toEqual(['POLICY_MISSING', 'keys accept']);
  const of = ['--server-dir', testServer.serverDirectory, '--camera', camera.camera];
  await run(advice[0] as string, {}, [key, ...of]);
  const again = await testServer.run(camera.directory);
  await again.obeys(2);
});

describe('day keys', () => {
  let camera: CameraRun;
  let sessions: SessionFactory;
  let recordedMs = 0;
  let file: string;

  beforeAll(async () => {
    camera = await enrolled();
    shared = camera;
    await testServer.accept(camera.camera);
    await camera.obeys(1);
    file = join(testServer.directory, 'more.json');
    const quiet = () => undefined;
    sessions = new SessionFactory({
      signer: camera.device.signer,
      primitives: nodePrimitives,
      clock: systemClock,
      state: new CameraState(camera.directory, systemDisk),
      logger: { info: quiet, warn: quiet, error: quiet },
      policy: () => camera.watch.inForce,
      previous: async () => undefined,
      recordedUs: () => recordedMs * 1000,
    });
  });

  /** What the status of the camera, as it is now, says of its day keys, and what it advises. */
  async function concern(): Promise<[string, string[]] | undefined> {
    await sessions.next();
    const { viewers, policy: terms } = camera.watch.inForce;
    const { epoch, counter } = terms;
    const belowFloor = viewersBelowFloor(viewers).map(({ viewer }) => idText(viewer));
    const agent: AgentStatus = {
      ...unpairedStatus(Date.now()),
      ...idlePipeline(),
      state: 'running',
      policy: { epoch, counter, trouble: undefined, belowFloor },
      dayKey: { number: undefined, exhausted: sessions.exhausted },
    };
    const seen = { directory: 'CAMERA', start: '', agentRuns: true, silentMs: 0, capture: undefined };
    const { concerns } = judgeCondition({ ...seen, agent });
    const found = concerns.find(({ code }) => /DAY_KEYS|VIEWER/.test(code));
    return found && [found.code, commandsNamedIn(found.wayOut ?? '')];
  }

  const put = async (line: string, counter: number) => {
    await run(line, { FILE: file, CAMERA_ID: camera.camera });
    await camera.obeys(counter);
  };

  test('[REM-DAY_KEYS_EXHAUSTED] that have run out are followed by those that the viewer makes', async () => {
    for (let day = 0; day < testServer.key.dayKeys.length; day++) {
      expect(await concern()).toBeUndefined();
      recordedMs += DAY_MS;
    }
    const [code, [days = '', share, sign = '', line = '']] = (await concern()) ?? ['', []];
    expect([code, days, share, sign, line]).toEqual([
      'DAY_KEYS_EXHAUSTED',
      'keys days',
      'keys share',
      'keys policy',
      'server policy put DIR FILE --camera CAMERA_ID',
    ]);
    await run(days, {}, [key, '--days', '2']);
    await run(sign, {}, [key, '--camera', camera.camera, '--out', file, '--force']);
    await put(line, 2);
    expect(await concern()).toBeUndefined();
  });

  test('[REM-VIEWER_BELOW_FLOOR] below a viewer’s floor are followed by those that the viewer makes and shares', async () => {
    const [bob, shared] = ['bob.key', 'bob.keys'].map((name) => join(testServer.directory, name)) as [
      string,
      string,
    ];
    await run('keys new', {}, [bob, '--days', '1']);
    await run('keys share', {}, [bob, '--out', shared]);
    const { viewer } = JSON.parse(await run('keys show', {}, [bob, '--json']));
    const of = [key, '--camera', camera.camera, '--out', file, '--force', '--viewer', shared];
    await run('keys policy', {}, [...of, '--floor', `${viewer}:5`]);
    await put('server policy put DIR FILE --camera CAMERA_ID', 3);
    const [code, [days = '', share = '', sign = '', line = '']] = (await concern()) ?? ['', []];
    expect(code).toBe('VIEWER_BELOW_FLOOR');
    await run(days, {}, [bob, '--days', '9']);
    await run(share, {}, [bob, '--out', shared, '--force']);
    await run(sign, {}, of);
    await put(line, 4);
    expect(await concern()).toBeUndefined();
  });
});

describe('a pin statement', () => {
  const PINS = { camera: '', statement: '' };
  let camera: CameraRun;
  const bring = (line: string) => writeFileSync(camera.directory.pinsInbox, line);
  const sign = (...more: string[]) =>
    run('keys pins', {}, [
      key,
      '--camera',
      PINS.camera,
      ...pins,
      '--out',
      PINS.statement,
      '--force',
      ...more,
    ]);
  const obeyed = (counter: number) =>
    until(`pins ${counter}`, () => camera.pairing.pinned.counter === counter);

  test.each(['REM-PINS_REPLAYED', 'REM-PINS_CONFLICT'])(
    '[%s] that is no newer gives way to the next that its owner signs',
    async (id) => {
      const code = codeOf(id);
      camera = await enrolled();
      PINS.camera = camera.camera;
      PINS.statement = join(testServer.directory, 'statement');
      await testServer.accept(camera.camera);
      const before = testServer.key;
      await sign();
      const first = readFileSync(PINS.statement, 'utf8');
      if (code === 'PINS_REPLAYED') await sign();
      bring(readFileSync(PINS.statement, 'utf8'));
      const counter = code === 'PINS_REPLAYED' ? 2 : 1;
      await obeyed(counter);
      let wrong = first;
      if (code === 'PINS_CONFLICT') {
        // Of a copy of the key that does not know of the first.
        const now = testServer.key;
        testServer.key = before;
        const { pin } = testServer.configuration;
        await run('keys pins', {}, [
          ...[key, '--camera', camera.camera, '--server', testServer.origin, '--pin', pin],
          ...['--out', PINS.statement, '--force'],
        ]);
        testServer.key = now;
        wrong = readFileSync(PINS.statement, 'utf8');
      }
      bring(wrong);
      const advice = await shown('pins', camera.pairing.pinsTrouble, code);
      expect(advice).toEqual(['keys pins']);
      await sign();
      bring(readFileSync(PINS.statement, 'utf8'));
      await obeyed(counter + 1);
      await until('no trouble', () => camera.pairing.pinsTrouble() === undefined);
    },
  );

  test('[REM-PINS_REFUSED] older than the one at the server gives way to the next that its owner signs', async () => {
    camera = await enrolled();
    await testServer.accept(camera.camera);
    PINS.camera = camera.camera;
    const put = () => run('server pins put DIR FILE', { FILE: PINS.statement });
    await sign();
    const first = readFileSync(PINS.statement, 'utf8');
    await sign();
    await put();
    writeFileSync(PINS.statement, first);
    const { code, message } = await put().catch((error) => error);
    expect([code, ...commandsNamedIn(message)]).toEqual(['PINS_REFUSED', 'keys pins']);
    await sign();
    await put();
    await obeyed(3);
  });
});
