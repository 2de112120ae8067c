import { HostError } from '../../host/errors.ts';
import { OtaError } from '../../ota/errors.ts';
import { MirrorError, mirrorFailure } from '../../server/updates/failure.ts';
import { parseUpdatesSource } from '../../server/updates/layout.ts';
import { checkDelayMs } from '../../server/updates/updates-mirror.ts';

test.each([
  ['./updates', './updates'],
  ['/srv/updates', '/srv/updates'],
  ['updates.example.org', 'updates.example.org'],
  ['http', 'http'],
])('[FC-53] %s is a directory', (text, directory) => {
  expect(parseUpdatesSource(text)).toEqual({ kind: 'directory', directory });
});

test.each([
  ['https://updates.example.org', 'https://updates.example.org/'],
  ['https://updates.example.org/oriel', 'https://updates.example.org/oriel/'],
  ['HTTPS://Updates.Example.org:443/oriel/', 'https://updates.example.org/oriel/'],
  ['https://[2001:db8::1]:8443/x', 'https://[2001:db8::1]:8443/x/'],
  ['http://127.0.0.1:8080/', 'http://127.0.0.1:8080/'],
  ['http://localhost:8080', 'http://localhost:8080/'],
  ['http://[::1]:8080', 'http://[::1]:8080/'],
])('[FC-53] %s is an address to follow', (text, href) => {
  const source = parseUpdatesSource(text);
  expect(source.kind === 'web' && source.base.href).toBe(href);
});

test.each([
  'https:',
  'https://',
  'https:/updates.example.org',
  'https:updates.example.org',
  'https://exa mple.org/',
  'https://updates.example.org:99999/',
  'http://updates.example.org/',
  'http://127.0.0.1.example.org/',
  'ftp://updates.example.org/',
  'file:///srv/updates',
  'https://user:secret@updates.example.org/',
  'https://updates.example.org/?token=secret',
  'https://updates.example.org/#a',
])('[FC-53] %s is refused by a code, and not quoted', (text) => {
  const parse = () => parseUpdatesSource(text);
  expect(parse).toThrow(expect.objectContaining({ code: 'UPDATES_ADDRESS_REFUSED' }));
  expect(parse).not.toThrow(/secret/);
});

test('[FC-54] a check that failed is done again after a minute, then less often; else every hour, at other times everywhere', () => {
  const minutes = (failures: number, random: number) => checkDelayMs(failures, random) / 60_000;
  expect([1, 2, 3, 7, 100].map((failures) => minutes(failures, 1))).toEqual([1, 2, 4, 60, 60]);
  expect([minutes(0, 0), minutes(0, 1), minutes(1, 0)]).toEqual([48, 72, 0.5]);
});

test.each([
  [new OtaError('METADATA_EXPIRED', 'too old'), 'METADATA_EXPIRED', /too old: the maker has stopped/],
  [
    new OtaError('FETCH_BROKEN', 'broken', { code: 'CERT_HAS_EXPIRED' }),
    'FETCH_BROKEN',
    /broken \(CERT_HAS_EXPIRED\)/,
  ],
  [new MirrorError('CHECK_OVERDUE', 'late'), 'CHECK_OVERDUE', /^late$/],
  [new HostError('DISK_FULL', 'no room'), 'STORAGE_FULL', /footage has priority/],
  [new HostError('DISK_IO', 'broken disk'), 'DISK_IO', /^broken disk$/],
  [Object.assign(new Error('ENOSPC: no space'), { errno: -28 }), 'STORAGE_FULL', /make room/],
  [new Error('odd'), 'MIRROR_FAILED', /^odd$/],
])('[FC-54] %s is told as %s', (error, code, message) => {
  expect(mirrorFailure(error)).toEqual({ code, message: expect.stringMatching(message) });
});
