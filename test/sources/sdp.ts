import { toHex } from '../../crypto/bytes.ts';
import { type Clip, parameterSets } from './nal-units.ts';

export interface Described {
  readonly clip: Clip;
  /** Whether the parameter sets stand in the description, beside in the stream. */
  readonly parameterSets: boolean;
  readonly audio: boolean;
  /** An ONVIF metadata track, on which nothing is sent. */
  readonly metadata: boolean;
}

export const TRACK = { video: 0, audio: 1, metadata: 2 } as const;
export const PAYLOAD_TYPE = { video: 96, audio: 8, metadata: 107 } as const;

/** What the camera answers to DESCRIBE (RFC 8866; fmtp by RFC 6184 section 8.1). */
export function describeTracks({ clip, audio, metadata, ...wish }: Described): string {
  const lines = ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=camera', 'c=IN IP4 0.0.0.0', 't=0 0'];
  lines.push('a=control:*', 'a=range:npt=now-', `m=video 0 RTP/AVP ${PAYLOAD_TYPE.video}`);
  lines.push(`a=rtpmap:${PAYLOAD_TYPE.video} ${clip.codec === 'hevc' ? 'H265' : 'H264'}/90000`);
  if (clip.codec === 'h264') lines.push(`a=fmtp:${PAYLOAD_TYPE.video} ${format(clip, wish.parameterSets)}`);
  lines.push(`a=control:track${TRACK.video}`);
  if (audio) {
    lines.push(`m=audio 0 RTP/AVP ${PAYLOAD_TYPE.audio}`, `a=rtpmap:${PAYLOAD_TYPE.audio} PCMA/8000`);
    lines.push(`a=control:track${TRACK.audio}`);
  }
  if (metadata) {
    const type = PAYLOAD_TYPE.metadata;
    lines.push(`m=application 0 RTP/AVP ${type}`, `a=rtpmap:${type} vnd.onvif.metadata/90000`);
    lines.push(`a=control:track${TRACK.metadata}`);
  }
  return `${lines.join('\r\n')}\r\n`;
}

function format(clip: Clip, withSets: boolean): string {
  const sets = withSets ? parameterSets(clip) : undefined;
  if (sets === undefined) return 'packetization-mode=1';
  const [sps, pps] = [sets.sps, sets.pps].map((set) => Buffer.from(set).toString('base64'));
  const profile = toHex(sets.sps.subarray(1, 4));
  return `packetization-mode=1;profile-level-id=${profile};sprop-parameter-sets=${sps},${pps}`;
}
