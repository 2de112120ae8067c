/** One quantity over time. */
export interface Series {
  readonly name: string;
  /** Seconds from the start, and value. */
  readonly points: readonly (readonly [number, number])[];
}

export interface Panel {
  readonly title: string;
  readonly series: readonly Series[];
}

const WIDTH = 900;
const PANEL_HEIGHT = 260;
const LEFT = 70;
const RIGHT = 150;
const TOP = 36;
const BOTTOM = 34;
const COLOURS = ['#1b6ca8', '#c8553d', '#3c8d53', '#8a5fa8', '#b58900', '#5b5b5b'];
const TICKS = 4;

/** Panels one above the other, as SVG; every axis begins at 0. */
export function plot(panels: readonly Panel[]): string {
  const height = panels.length * PANEL_HEIGHT;
  const drawn = panels.map(
    (panel, index) => `<g transform="translate(0 ${index * PANEL_HEIGHT})">${draw(panel)}</g>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    ...drawn,
    '</svg>',
    '',
  ].join('\n');
}

function draw({ title, series }: Panel): string {
  const points = series.flatMap((each) => each.points);
  const end = Math.max(1, ...points.map(([at]) => at));
  const most = Math.max(1, ...points.map(([, value]) => value)) * 1.1;
  const x = (at: number) => (LEFT + (at / end) * (WIDTH - LEFT - RIGHT)).toFixed(1);
  const y = (value: number) =>
    (PANEL_HEIGHT - BOTTOM - (value / most) * (PANEL_HEIGHT - TOP - BOTTOM)).toFixed(1);
  const ticks = Array.from({ length: TICKS + 1 }, (_, tick) => tick / TICKS);
  return [
    `<text x="${LEFT}" y="20" font-size="14">${escapeXml(title)}</text>`,
    ...ticks.map((part) => {
      const [value, at] = [part * most, part * end];
      return (
        `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(value)}" y2="${y(value)}" stroke="#ddd"/>` +
        `<text x="${LEFT - 8}" y="${y(value)}" text-anchor="end" dy="4">${Math.round(value)}</text>` +
        `<text x="${x(at)}" y="${PANEL_HEIGHT - BOTTOM + 18}" text-anchor="middle">${time(at, end)}</text>`
      );
    }),
    ...series.map((each, index) => {
      const colour = COLOURS[index % COLOURS.length];
      const line = each.points.map(([at, value]) => `${x(at)},${y(value)}`).join(' ');
      const label = TOP + 8 + index * 18;
      return (
        `<polyline points="${line}" fill="none" stroke="${colour}" stroke-width="1.5"/>` +
        `<text x="${WIDTH - RIGHT + 12}" y="${label}" fill="${colour}">${escapeXml(each.name)}</text>`
      );
    }),
  ].join('\n');
}

const time = (seconds: number, end: number) =>
  end > 300 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds)} s`;

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
