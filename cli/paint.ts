import { styleText } from 'node:util';
import type { Light } from '../wire/health.ts';

/** Colours a text by a light, or leaves it as it is. */
export type Paint = (light: Light, text: string) => string;

/** Colours on a terminal that wants them (NO_COLOR), and nothing elsewhere. */
export const terminalPaint: Paint = (light, text) => styleText(light, text, { stream: process.stdout });
