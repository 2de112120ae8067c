import {
  isCameraDirectoryName,
  parseSegmentFileName,
  parseSessionDirectoryName,
  parseSnapshotFileName,
  segmentFileName,
  sessionDirectoryName,
  snapshotFileName,
} from '../../wire/footage-layout.ts';

const id = '0123456789abcdef'.repeat(2);

test.each([
  [1, `000000000001-${id}`],
  [999_999_999_999, `999999999999-${id}`],
  [Number.MAX_SAFE_INTEGER, `9007199254740991-${id}`],
])('session %d has the directory %s', (number, name) => {
  expect(sessionDirectoryName({ number, id })).toBe(name);
  expect(parseSessionDirectoryName(name)).toEqual({ number, id });
});

test('segments and snapshots are numbered files', () => {
  expect([segmentFileName(0), segmentFileName(4095)]).toEqual(['000000.oriel', '004095.oriel']);
  expect(parseSegmentFileName('004095.oriel')).toBe(4095);
  expect(snapshotFileName(127)).toBe('snapshot-000127.oriel');
  expect(parseSnapshotFileName('snapshot-000127.oriel')).toBe(127);
});

test.each([
  '',
  'session',
  '0.oriel',
  '0000000.oriel',
  '000000.oriel.tmp',
  '../000000.oriel',
  '000000.orielx',
])('"%s" is no segment, no snapshot and no session', (name) => {
  expect(parseSegmentFileName(name)).toBeUndefined();
  expect(parseSnapshotFileName(`snapshot-${name}`)).toBeUndefined();
  expect(parseSessionDirectoryName(`${name}-${id}`)).toBeUndefined();
});

test('a session is not named with another form of id, nor a camera with another alphabet', () => {
  expect(parseSessionDirectoryName(`000000000001-${id.toUpperCase()}`)).toBeUndefined();
  expect(parseSessionDirectoryName(`1-${id}`)).toBeUndefined();
  expect(isCameraDirectoryName('a2'.repeat(16))).toBe(true);
  for (const name of ['a1'.repeat(16), 'a2'.repeat(15), '..', 'A2'.repeat(16)])
    expect(isCameraDirectoryName(name)).toBe(false);
});
