import fc from 'fast-check';
import { orielDoes } from '../../scripts/demonstration/oriel-command.ts';
import { parseRequestId, requestId } from '../../wire/request-id.ts';
import { breakBuild } from '../broken-build.ts';
import { TestDeployment } from '../e2e/test-deployment.ts';
import { until } from '../e2e/until.ts';

/** A request can be followed from the camera's log to the server's. */

interface Pipeline {
  readonly level: number;
  readonly msg: string;
  readonly request?: string;
  readonly url?: string;
  readonly method?: string;
  readonly code?: string;
}

const lines = (log: string): Pipeline[] =>
  log
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));

const debug = { ORIEL_LOG_LEVEL: 'debug' };
const INFO = 30;

/** The first upload that the server answered: as both logs have it. */
async function oneUpload(deployment: TestDeployment) {
  await deployment.startCamera();
  return until('an upload is answered', () => {
    const answered = lines(deployment.log('server')).find(
      ({ msg, method, url }) => msg === 'answered' && method === 'PUT' && url?.includes('/segments/'),
    );
    if (answered === undefined) return false;
    const asked = lines(deployment.log('camera')).filter(({ request }) => request === answered.request);
    return { answered, asked };
  });
}

test('one upload bears one name in both logs, and no other request bears it', () =>
  TestDeployment.with({ source: 'test:', environment: debug }, async (deployment) => {
    const { answered, asked } = await oneUpload(deployment);
    expect(answered.request).toMatch(/^[0-9a-f]{12}-\d+$/);
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ msg: 'asking', method: answered.method, url: answered.url });
    const named = lines(deployment.log('server')).filter(({ request }) => request === answered.request);
    expect(named).toHaveLength(1);
  }));

test('a camera that names no request cannot be followed', async () => {
  const broken = breakBuild({
    file: 'agent/client/connection.ts',
    from: '[REQUEST_ID_HEADER]: id, ',
    to: '',
  });
  try {
    await TestDeployment.with(
      { source: 'test:', camera: broken.oriel, environment: debug },
      async (deployment) => {
        const { answered, asked } = await oneUpload(deployment);
        expect(answered.request).toBeUndefined();
        expect(asked.filter(({ msg, request }) => msg === 'asking' && request === undefined)).toEqual([]);
      },
    );
  } finally {
    broken.remove();
  }
});

test('at the usual level a refusal bears one name in both logs, and records leave no line', () =>
  TestDeployment.with({ source: 'test:' }, async (deployment) => {
    await deployment.startCamera();
    const { serverDirectory, cameraId } = deployment.parts;
    await orielDoes('server', 'camera', 'revoke', serverDirectory, cameraId);
    const refused = await until('the camera is refused', () =>
      lines(deployment.log('server')).find(
        ({ code, request }) => code === 'CAMERA_REVOKED' && request !== undefined,
      ),
    );
    await until('the camera says so', () =>
      lines(deployment.log('camera')).some(({ request }) => request === refused.request),
    );
    const records = await until(
      'fifty records',
      () => deployment.status.records >= 50 && deployment.status.records,
    );
    expect(lines(deployment.log('camera')).filter(({ level }) => level <= INFO).length).toBeLessThan(records);
  }));

test('whatever else comes in the field is no name', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.array(fc.string())), (field) => {
      const name = parseRequestId(field);
      expect(name === undefined || /^[0-9a-f]{12}-[1-9]\d{0,8}$/.test(name)).toBe(true);
    }),
  );
  expect(parseRequestId(requestId('0123456789ab', 17))).toBe('0123456789ab-17');
  for (const field of [
    '',
    'x'.repeat(8000),
    '0123456789ab-0',
    '0123456789ab-1\n',
    '0123456789ab-1234567890',
    undefined,
  ]) {
    expect(parseRequestId(field)).toBeUndefined();
  }
});
