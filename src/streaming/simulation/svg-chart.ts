/** A line of a chart: `x` rising, `y` at least 0. */
export interface ChartLine {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Whether a value holds until the next one, and jumps there. */
  readonly stepped?: boolean;
  readonly dashed?: boolean;
}

/** A chart of lines over one axis, in units that its texts name. */
export interface Chart {
  readonly title: string;
  readonly xUnit: string;
  readonly yUnit: string;
  readonly lines: readonly ChartLine[];
}

const colours = ['#1f6feb', '#d1570a', '#1a7f37', '#8250df', '#bf3989', '#6e7781', '#9a6700', '#0a7ea4'];
const [width, height] = [760, 220];
const [left, right, top, bottom] = [70, 16, 40, 36];
const pointsMax = 400;

/** `charts` below one another, as an SVG document that needs nothing else. */
export function svgOf(charts: readonly Chart[]): string {
  const drawn = charts.map((chart, at) => `<g transform="translate(0 ${at * height})">\n${chartOf(chart)}</g>\n`);
  const all = charts.length * height;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${all}" width="${width}" height="${all}" ` +
    `font-family="system-ui, sans-serif" font-size="11">\n<rect width="100%" height="100%" fill="#fff"/>\n` +
    `${drawn.join('')}</svg>\n`
  );
}

function chartOf({ title, xUnit, yUnit, lines }: Chart): string {
  const points = lines.flatMap((line) => line.points);
  const xEnd = niceEnd(points.reduce((most, [x]) => Math.max(most, x), 0));
  const yEnd = niceEnd(points.reduce((most, [, y]) => Math.max(most, y), 0));
  const [innerWidth, innerHeight] = [width - left - right, height - top - bottom];
  const xAt = (x: number): string => rounded(left + (x / xEnd) * innerWidth);
  const yAt = (y: number): string => rounded(top + innerHeight - (y / yEnd) * innerHeight);
  const grid = ticks(yEnd).map(
    (y) =>
      `<line x1="${left}" x2="${width - right}" y1="${yAt(y)}" y2="${yAt(y)}" stroke="#d8dee4"/>\n` +
      `<text x="${left - 6}" y="${yAt(y)}" dy="4" text-anchor="end">${shownNumber(y)}</text>\n`,
  );
  const below = ticks(xEnd).map(
    (x) => `<text x="${xAt(x)}" y="${height - bottom + 16}" text-anchor="middle">${shownNumber(x)}</text>\n`,
  );
  const paths = lines.map((line, at) => {
    const colour = colours[at % colours.length]!;
    const dashes = line.dashed === true ? ' stroke-dasharray="5 4"' : '';
    return `<path d="${pathOf(line, xAt, yAt)}" fill="none" stroke="${colour}" stroke-width="1.5"${dashes}/>\n`;
  });
  const names = lines.map(
    ({ name }, at) =>
      `<tspan fill="${colours[at % colours.length]!}"${at === 0 ? '' : ' dx="12"'}>${escaped(name)}</tspan>`,
  );
  return (
    `<text x="${left}" y="16" font-weight="600">${escaped(title)} (${escaped(yUnit)})</text>\n` +
    `<text x="${left}" y="31">${names.join('')}</text>\n` +
    `<text x="${width - right}" y="${height - 4}" text-anchor="end">${escaped(xUnit)}</text>\n` +
    `${grid.join('')}${below.join('')}${paths.join('')}`
  );
}

function pathOf({ points, stepped }: ChartLine, xAt: (x: number) => string, yAt: (y: number) => string): string {
  const thinned = thin(points);
  return thinned
    .map(([x, y], at) => {
      if (at === 0) return `M${xAt(x)} ${yAt(y)}`;
      return stepped === true ? `H${xAt(x)}V${yAt(y)}` : `L${xAt(x)} ${yAt(y)}`;
    })
    .join('');
}

/** No more points than can be seen: of each stretch the highest and the last. */
function thin(points: ChartLine['points']): ChartLine['points'] {
  if (points.length <= pointsMax) return points;
  const size = Math.ceil(points.length / (pointsMax / 2));
  const kept: (readonly [number, number])[] = [points[0]!];
  for (let start = 1; start < points.length; start += size) {
    const stretch = points.slice(start, start + size);
    const highest = stretch.reduce((best, point) => (point[1] > best[1] ? point : best));
    kept.push(highest);
    if (highest !== stretch.at(-1)) kept.push(stretch.at(-1)!);
  }
  return kept;
}

/** The end of an axis that holds `most`: 1, 2 or 5 times a power of ten, four to ten of which fit. */
function niceEnd(most: number): number {
  if (!(most > 0)) return 1;
  const step = niceStep(most);
  return Math.ceil(most / step - 1e-9) * step;
}

function niceStep(end: number): number {
  const power = 10 ** Math.floor(Math.log10(end / 4));
  const times = end / 4 / power;
  return power * (times >= 5 ? 5 : times >= 2 ? 2 : 1);
}

function ticks(end: number): number[] {
  const step = niceStep(end);
  return Array.from({ length: Math.round(end / step) + 1 }, (_, at) => at * step);
}

const rounded = (value: number): string => String(Math.round(value * 10) / 10);
const shownNumber = (value: number): string => Number(value.toPrecision(6)).toLocaleString('en');

/** `text` as it may stand between the tags of XML. */
export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
