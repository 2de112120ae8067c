import { readFileSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { oriel } from '../../scripts/demonstration/oriel-command.ts';
import { Home } from '../e2e/home.ts';
import { until } from '../e2e/until.ts';

/** What `oriel camera status` says, and its exit code, which health checks use, through a camera's bad days. */

async function look(home: Home) {
  const { code, stdout } = await oriel('camera', 'status', home.cameraDirectory, '--json');
  const { light, concerns } = JSON.parse(stdout) as { light: string; concerns: { code: string }[] };
  return { code, light, codes: concerns.map((each) => each.code) };
}

function shows(home: Home, light: string, code: string) {
  return until(`${light}: ${code}`, async () => {
    const seen = await look(home);
    return seen.light === light && seen.codes.includes(code) && seen;
  });
}

test('the server is away, the agent hangs, the camera is killed: each shows, with its exit code', () =>
  Home.with({ source: 'test:' }, async (home) => {
    home.changeConfig((config) => {
      config.server.origin = `https://127.0.0.1:${home.serverPort}`;
    });
    await home.startCamera();
    await until('all is well', async () => (await look(home)).light === 'green');
    expect(await look(home)).toEqual({ code: 0, light: 'green', codes: [] });

    await home.endServer();
    expect(await shows(home, 'yellow', 'DIAL_CONNECT')).toMatchObject({ code: 0 });
    const { stdout } = await oriel('camera', 'status', home.cameraDirectory);
    expect(stdout).toContain('no footage reaches the server: cannot connect: ECONNREFUSED');
    expect(stdout).toContain('is the server running');
    await home.startServer();
    await until('the light turns green again', async () => (await look(home)).light === 'green');

    const status = join(home.cameraDirectory, 'run', 'status.json');
    const { pid } = JSON.parse(readFileSync(status, 'utf8'));
    process.kill(pid, 'SIGSTOP');
    const longAgo = Date.now() / 1000 - 20;
    utimesSync(status, longAgo, longAgo);
    expect(await look(home)).toEqual({ code: 1, light: 'red', codes: ['AGENT_SILENT'] });
    process.kill(pid, 'SIGCONT');

    await home.killCamera();
    expect(await shows(home, 'red', 'AGENT_DEAD')).toMatchObject({ code: 1 });
  }));

test('a source that cannot be played is named with what ffmpeg said', () =>
  Home.with({ source: 'file:/nowhere/to/be/found.mp4' }, async (home) => {
    home.launchCamera();
    expect(await shows(home, 'red', 'CAPTURE_FAILED')).toMatchObject({ code: 1 });
    const { stdout } = await oriel('camera', 'status', home.cameraDirectory);
    expect(stdout).toMatch(/^● NOT WORKING.*\n {2}- capture: PROBE_FAILED: .*No such file or directory/);
  }));

test('a directory without a camera is no camera in good order', async () => {
  expect(await oriel('camera', 'status', '/nowhere')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('[CAMERA_MISSING]'),
  });
});
