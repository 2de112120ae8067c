import { BASE, HEVC, type NumberedClip } from './clips.ts';
import { fileOf } from './corpus.ts';
import { carries, challenge, credentialsOf } from './credentials.ts';
import { parameterSets, readClip } from './nal-units.ts';
import { payloadsOf } from './rtp.ts';

test.each<[string, NumberedClip, 'h264' | 'hevc']>([
  ['H.264', BASE, 'h264'],
  ['H.265', HEVC, 'hevc'],
])('a clip of %s is taken apart to its pictures, and each comes whole in RTP', async (_, made, codec) => {
  const clip = readClip(await fileOf(made), codec);
  expect(clip.units).toHaveLength(made.frames);
  for (const unit of clip.units) {
    const payloads = payloadsOf(unit, codec);
    expect(payloads.filter(({ marker }) => marker)).toEqual([payloads.at(-1)]);
    expect(Math.max(...payloads.map(({ bytes }) => bytes.length))).toBeLessThanOrEqual(1400);
    const bytes = payloads.reduce((sum, payload) => sum + payload.bytes.length, 0);
    expect(bytes).toBeGreaterThanOrEqual(unit.reduce((sum, nal) => sum + nal.length, 0));
  }
  const sets = parameterSets(clip);
  expect(sets && [(sets.sps[0] ?? 0) & 31, (sets.pps[0] ?? 0) & 31]).toEqual(
    codec === 'h264' ? [7, 8] : undefined,
  );
});

/** The digest (RFC 7616 section 3.4.1, without qop) is one that openssl(1) computed. */
test('credentials are those that were given, by each scheme, and no others', () => {
  const basic = credentialsOf('eve:pw:1', 'basic');
  expect(carries(basic, 'DESCRIBE', `Authorization: Basic ${btoa('eve:pw:1')}\r\n`)).toBe(true);
  expect(carries(basic, 'DESCRIBE', `Authorization: Basic ${btoa('eve:pw')}\r\n`)).toBe(false);
  expect(carries(basic, 'DESCRIBE', '')).toBe(false);
  const digest = credentialsOf('eve:pw', 'md5');
  const answer = (response: string) =>
    `Authorization: Digest username="eve", realm="camera", nonce="nonce0", uri="rtsp://h/x", response="${response}"\r\n`;
  expect(carries(digest, 'DESCRIBE', answer('86327b593e184d68d6be7dde632de643'))).toBe(true);
  expect(carries(digest, 'SETUP', answer('86327b593e184d68d6be7dde632de643'))).toBe(false);
  expect([basic, digest, credentialsOf('eve:pw', 'sha256')].map(challenge)).toEqual([
    expect.stringContaining('Basic'),
    expect.not.stringContaining('algorithm'),
    expect.stringContaining('algorithm="SHA-256"'),
  ]);
});
