import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { oriel } from '../../scripts/demonstration/oriel-command.ts';
import { breakBuild } from '../broken-build.ts';
import { TestDeployment } from '../e2e/test-deployment.ts';
import { until } from '../e2e/until.ts';

/** The server's metrics, scraped as Prometheus does; and who else gets to see them: nobody. */

const portOf = (deployment: TestDeployment) =>
  JSON.parse(readFileSync(join(deployment.parts.serverDirectory, 'run', 'server.json'), 'utf8')).metricsPort;

async function scrape(port: number, host = `127.0.0.1:${port}`, path = '/metrics', method = 'GET') {
  const call = request({ host: '127.0.0.1', port, path, method, headers: { host }, agent: false });
  call.end();
  const [response] = await once(call, 'response');
  let text = '';
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode as number, type: response.headers['content-type'] as string, text };
}

/** The value of a sample; undefined when it is not there. */
function sample(text: string, name: string): number | undefined {
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
}

/** Whether somebody answers at another address of this machine. */
function reachable(port: number, address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, address, () => resolve(true));
    socket.on('error', () => resolve(false)).on('connect', () => socket.destroy());
  });
}

test('footage, cameras, refusals and the disk are counted, without a secret', () =>
  TestDeployment.with({ source: 'test:', serverOptions: ['--metrics', '0'] }, async (deployment) => {
    const port = portOf(deployment);
    const idle = await scrape(port);
    expect(idle).toMatchObject({ status: 200, type: expect.stringContaining('version=0.0.4') });
    expect(sample(idle.text, 'oriel_cameras_enrolled')).toBe(1);
    expect(sample(idle.text, 'oriel_cameras_online')).toBe(0);

    await deployment.startCamera();
    const { cameraId } = deployment.parts;
    const text = await until('footage is counted', async () => {
      const seen = await scrape(port);
      return (sample(seen.text, 'oriel_segments_total{event="ended"}') ?? 0) > 0 && seen.text;
    });
    expect(sample(text, 'oriel_cameras_online')).toBe(1);
    expect(sample(text, 'oriel_connections{of="cameras"}')).toBeGreaterThan(0);
    expect(sample(text, 'oriel_stored_bytes_total')).toBeGreaterThan(10_000);
    expect(sample(text, `oriel_camera_footage_bytes{camera="${cameraId}"}`)).toBeGreaterThan(10_000);
    expect(sample(text, `oriel_camera_sessions{camera="${cameraId}"}`)).toBe(1);
    expect(sample(text, 'oriel_sync_seconds_count')).toBeGreaterThan(0);
    expect(sample(text, 'oriel_request_seconds_count{route="PUT segment"}')).toBeGreaterThan(0);
    expect(sample(text, 'oriel_disk_free_bytes')).toBeGreaterThan(0);
    expect(sample(text, 'process_resident_memory_bytes')).toBeGreaterThan(0);
    expect(text).not.toMatch(/BEGIN|PRIVATE|sha256\/|Bearer|\/v1\//);

    const { serverDirectory } = deployment.parts;
    await oriel('server', 'camera', 'revoke', serverDirectory, cameraId);
    await until('the refusal is counted', async () => {
      const seen = await scrape(port);
      return (sample(seen.text, 'oriel_refusals_total{code="CAMERA_REVOKED"}') ?? 0) > 0;
    });
    const after = (await scrape(port)).text;
    expect(sample(after, 'oriel_cameras_enrolled')).toBe(0);
    expect(after).not.toContain(`camera="${cameraId}"`);
  }));

test('nothing is answered but the scrape, and nobody else gets that far', () =>
  TestDeployment.with(
    { source: 'test:', serverOptions: ['--metrics', '127.0.0.1:0'] },
    async (deployment) => {
      const port = portOf(deployment);
      expect((await scrape(port, `localhost:${port}`)).status).toBe(200);
      expect((await scrape(port, 'attacker.example')).status).toBe(404);
      expect((await scrape(port, `127.0.0.1:${port}`, '/')).status).toBe(404);
      expect((await scrape(port, `127.0.0.1:${port}`, '/metrics', 'POST')).status).toBe(404);
      expect(await reachable(port, '127.0.0.1')).toBe(true);
      for (const address of ['127.0.0.2', '::1']) expect(await reachable(port, address)).toBe(false);
    },
  ));

test('a server that serves them everywhere is found out', async () => {
  const broken = breakBuild({
    file: 'server/metrics/metrics-server.ts',
    from: "const ADDRESS = '127.0.0.1';",
    to: "const ADDRESS = '0.0.0.0';",
  });
  try {
    await TestDeployment.with(
      { source: 'test:', server: broken.oriel, serverOptions: ['--metrics', '0'] },
      async (deployment) => {
        expect(await reachable(portOf(deployment), '127.0.0.2')).toBe(true);
      },
    );
  } finally {
    broken.remove();
  }
});

test('they are off unless asked for, and no other address is taken', async () => {
  await TestDeployment.with({ source: 'test:' }, async (deployment) => {
    expect(portOf(deployment)).toBeUndefined();
  });
  for (const wish of ['0.0.0.0:9100', '192.168.1.10:9100', '[::]:9100', 'localhost']) {
    expect(await oriel('server', 'run', '/nowhere', '--metrics', wish)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('for this machine alone'),
    });
  }
});
