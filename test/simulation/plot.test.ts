import { plot } from '../../scripts/simulation/plot.ts';

const series = { name: 'server <1>', points: [[0, 50] as const, [1800, 60] as const, [3600, 55] as const] };

test('each series is a line within its panel, with its name', () => {
  const svg = plot([
    { title: 'memory', series: [series, { ...series, name: 'agent' }] },
    { title: 'handles', series: [series] },
  ]);
  expect(svg).toMatch(/^<svg [^>]*viewBox="0 0 900 520"/);
  expect(svg.trimEnd()).toMatch(/<\/svg>$/);
  const lines = [...svg.matchAll(/<polyline points="([^"]+)"/g)].map(([, points = '']) => points);
  expect(lines).toHaveLength(3);
  for (const line of lines) {
    const points = line.split(' ').map((point) => point.split(',').map(Number));
    expect(points).toHaveLength(3);
    for (const [x = 0, y = 0] of points) {
      expect(x).toBeGreaterThanOrEqual(70);
      expect(x).toBeLessThanOrEqual(750);
      expect(y).toBeGreaterThanOrEqual(36);
      expect(y).toBeLessThanOrEqual(226);
    }
  }
  expect(svg).toContain('server &lt;1>');
  expect(svg).toContain('>60 min<');
});

test('nothing measured yet is an empty panel', () => {
  expect(plot([{ title: 'memory', series: [] }])).not.toMatch(/NaN|Infinity/);
});
