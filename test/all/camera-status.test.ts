import { chmodSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ORIEL, oriel } from '../../scripts/demonstration/oriel-command.ts';
import { TestDeployment } from '../e2e/test-deployment.ts';
import { until } from '../e2e/until.ts';
import { commandsNamedIn } from '../repository/named-commands.ts';

/** What `oriel camera status` says, and its exit code, which health checks use, through a camera's bad days. */

async function look(deployment: TestDeployment) {
  const { code, stdout } = await oriel('camera', 'status', deployment.cameraDirectory, '--json');
  const { light, concerns } = JSON.parse(stdout) as {
    light: string;
    concerns: { code: string; wayOut?: string }[];
  };
  const advice = concerns.flatMap(({ wayOut = '' }) => commandsNamedIn(wayOut));
  return { code, light, codes: concerns.map((each) => each.code), advice };
}

function shows(deployment: TestDeployment, light: string, code: string) {
  return until(`${light}: ${code}`, async () => {
    const seen = await look(deployment);
    return seen.light === light && seen.codes.includes(code) && seen;
  });
}

const turnsGreen = (deployment: TestDeployment) =>
  until('the light turns green', async () => (await look(deployment)).light === 'green');

/** A camera in a mount namespace of its own, whose names are in a file that the test changes. */
const room = mkdtempSync(join(tmpdir(), 'oriel-names-'));
const hosts = join(room, 'hosts');
const camera = join(room, 'oriel');
const resolvers = join(room, 'resolv.conf');
beforeAll(() => {
  const mounts = `mount --bind ${hosts} /etc/hosts && mount --bind ${resolvers} /etc/resolv.conf`;
  writeFileSync(
    camera,
    `#!/bin/sh\nexec unshare --mount sh -c '${mounts} && exec "$0" "$@"' ${ORIEL} "$@"\n`,
  );
  chmodSync(camera, 0o755);
  writeFileSync(hosts, '');
  writeFileSync(resolvers, '');
});
afterAll(() => rmSync(room, { recursive: true }));

test('[REM-DIAL_RESOLVE] [REM-AGENT_SILENT] [REM-AGENT_DEAD] [REM-STOPPED] its server cannot be found, is away, the agent hangs, is killed, is stopped: each shows, with its exit code and what ends it', () =>
  TestDeployment.with({ source: 'test:', camera }, async (deployment) => {
    await deployment.endServer();
    const settings = join(deployment.parts.serverDirectory, 'server.json');
    const { hosts: names, ...rest } = JSON.parse(readFileSync(settings, 'utf8'));
    writeFileSync(settings, JSON.stringify({ ...rest, hosts: [...names, 'home.test'] }));
    await deployment.startServer();
    deployment.changeConfig((config) => {
      config.server.origin = `https://home.test:${deployment.serverPort}`;
    });
    const start = [`camera run ${deployment.cameraDirectory}`];

    await deployment.startCamera();
    expect(await shows(deployment, 'yellow', 'DIAL_RESOLVE')).toMatchObject({ code: 0 });
    const unresolved = await oriel('camera', 'status', deployment.cameraDirectory);
    expect(unresolved.stdout).toContain('is the network up, and its DNS?');
    writeFileSync(hosts, '127.0.0.1 home.test\n');
    await turnsGreen(deployment);
    expect(await look(deployment)).toEqual({ code: 0, light: 'green', codes: [], advice: [] });

    await deployment.endServer();
    expect(await shows(deployment, 'yellow', 'DIAL_CONNECT')).toMatchObject({ code: 0 });
    const { stdout } = await oriel('camera', 'status', deployment.cameraDirectory);
    expect(stdout).toContain('no footage reaches the server: cannot connect: ECONNREFUSED');
    expect(stdout).toContain('is the server running');
    await deployment.startServer();
    await turnsGreen(deployment);

    const status = join(deployment.cameraDirectory, 'run', 'status.json');
    const { pid } = JSON.parse(readFileSync(status, 'utf8'));
    process.kill(pid, 'SIGSTOP');
    const longAgo = Date.now() / 1000 - 20;
    utimesSync(status, longAgo, longAgo);
    expect(await look(deployment)).toEqual({ code: 1, light: 'red', codes: ['AGENT_SILENT'], advice: start });
    // It is stopped, and started again: the launcher kills what hangs.
    await deployment.endCamera();
    await deployment.startCamera();
    expect((await look(deployment)).codes).not.toContain('AGENT_SILENT');

    await deployment.killCamera();
    expect(await shows(deployment, 'red', 'AGENT_DEAD')).toMatchObject({ code: 1, advice: start });
    await deployment.startCamera();
    expect((await look(deployment)).codes).not.toContain('AGENT_DEAD');

    expect(await deployment.endCamera()).toBe(0);
    expect(await look(deployment)).toEqual({ code: 1, light: 'red', codes: ['STOPPED'], advice: start });
    await deployment.startCamera();
    await turnsGreen(deployment);
  }));

test('a source that cannot be played is named with what ffmpeg said', () =>
  TestDeployment.with({ source: 'file:/nowhere/to/be/found.mp4' }, async (deployment) => {
    deployment.launchCamera();
    expect(await shows(deployment, 'red', 'CAPTURE_FAILED')).toMatchObject({ code: 1 });
    const { stdout } = await oriel('camera', 'status', deployment.cameraDirectory);
    expect(stdout).toMatch(/^● NOT WORKING.*\n {2}- capture: PROBE_FAILED: the file does not exist/);
  }));

test('a directory without a camera is no camera in good order', async () => {
  expect(await oriel('camera', 'status', '/nowhere')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('[CAMERA_MISSING]'),
  });
});
