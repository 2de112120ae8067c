import fc from 'fast-check';
import { orielDoes } from '../../scripts/demonstration/oriel-command.ts';
import { parseRequestId, requestId } from '../../wire/request-id.ts';
import { breakBuild } from '../broken-build.ts';
import { Home } from '../e2e/test-deployment.ts';
import { until } from '../e2e/until.ts';

/** A request can be followed from the camera's log to the server's. */

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly request?: string;
  readonly url?: string;
  readonly method?: string;
  readonly code?: string;
}

const lines = (log: string): Line[] =>
  log
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));

const debug = { ORIEL_LOG_LEVEL: 'debug' };
const INFO = 30;

/** The first upload that the server answered: as both logs have it. */
async function oneUpload(home: Home) {
  await home.startCamera();
  return until('an upload is answered', () => {
    const answered = lines(home.log('server')).find(
      ({ msg, method, url }) => msg === 'answered' && method === 'PUT' && url?.includes('/segments/'),
    );
    if (answered === undefined) return false;
    const asked = lines(home.log('camera')).filter(({ request }) => request === answered.request);
    return { answered, asked };
  });
}

test('one upload bears one name in both logs, and no other request bears it', () =>
  Home.with({ source: 'test:', environment: debug }, async (home) => {
    const { answered, asked } = await oneUpload(home);
    expect(answered.request).toMatch(/^[0-9a-f]{12}-\d+$/);
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ msg: 'asking', method: answered.method, url: answered.url });
    const named = lines(home.log('server')).filter(({ request }) => request === answered.request);
    expect(named).toHaveLength(1);
  }));

test('a camera that names no request cannot be followed', async () => {
  const broken = breakBuild({
    file: 'agent/client/connection.ts',
    from: '[REQUEST_ID_HEADER]: id, ',
    to: '',
  });
  try {
    await Home.with({ source: 'test:', camera: broken.oriel, environment: debug }, async (home) => {
      const { answered, asked } = await oneUpload(home);
      expect(answered.request).toBeUndefined();
      expect(asked.filter(({ msg, request }) => msg === 'asking' && request === undefined)).toEqual([]);
    });
  } finally {
    broken.remove();
  }
});

test('at the usual level a refusal bears one name in both logs, and records leave no line', () =>
  Home.with({ source: 'test:' }, async (home) => {
    await home.startCamera();
    const { serverDirectory, cameraId } = home.household;
    await orielDoes('server', 'cameras', serverDirectory, 'revoke', cameraId);
    const refused = await until('the camera is refused', () =>
      lines(home.log('server')).find(
        ({ code, request }) => code === 'CAMERA_REVOKED' && request !== undefined,
      ),
    );
    await until('the camera says so', () =>
      lines(home.log('camera')).some(({ request }) => request === refused.request),
    );
    const records = await until('fifty records', () => home.status.records >= 50 && home.status.records);
    expect(lines(home.log('camera')).filter(({ level }) => level <= INFO).length).toBeLessThan(records);
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
