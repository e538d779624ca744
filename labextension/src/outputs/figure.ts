import { ticks } from '../queue/iq';
import { digits } from '../units';

type Interval = readonly [number, number];

/** Two axes with round numbers. */
export interface IAxes {
  readonly x: Interval;
  readonly y: Interval;
  readonly x_label: string;
  readonly y_label: string;
  readonly wide: number;
  readonly tall: number;
}

/** Where values lie in the picture. */
export interface IPlaces {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
}

const GREY = '#888888';
/** The room around the axes, for their numbers and names. */
const [LEFT, BELOW, RIGHT, ABOVE] = [64, 38, 10, 6];

/** A plain SVG with axes, in the page's own ink, as qpi_jupyter/data/figures.py draws it; `said` is its title. */
export function figure(axes: IAxes, said: string, draw: (places: IPlaces) => string): string {
  const { tall, wide } = axes;
  const x = (value: number) => LEFT + (wide * (value - axes.x[0])) / (axes.x[1] - axes.x[0] || 1);
  const y = (value: number) => ABOVE + (tall * (axes.y[1] - value)) / (axes.y[1] - axes.y[0] || 1);
  const [bottom, across, down] = [ABOVE + tall, LEFT + wide / 2, ABOVE + tall / 2];
  const text = (at: string, anchor: string, said: string) =>
    `<text ${at} text-anchor="${anchor}">${quoted(said)}</text>`;
  const marks = [
    ...round(axes.x).map(tick => {
      const at = x(tick).toFixed(1);
      const mark = `<path d="M${at} ${bottom}v4" stroke="${GREY}"/>`;
      return mark + text(`x="${at}" y="${bottom + 16}"`, 'middle', digits(tick));
    }),
    ...round(axes.y).map(tick => {
      const mark = `<path d="M${LEFT} ${y(tick).toFixed(1)}h-4" stroke="${GREY}"/>`;
      const at = `x="${LEFT - 7}" y="${(y(tick) + 4).toFixed(1)}"`;
      return mark + text(at, 'end', digits(tick));
    }),
    text(`x="${across}" y="${bottom + 33}"`, 'middle', axes.x_label),
    text(`x="12" y="${down}" transform="rotate(-90 12 ${down})"`, 'middle', axes.y_label)
  ];
  const [width, height] = [LEFT + wide + RIGHT, bottom + BELOW];
  const frame = `<rect x="${LEFT}" y="${ABOVE}" width="${wide}" height="${tall}" fill="none" stroke="${GREY}"/>`;
  return (
    `<svg viewBox="0 0 ${width} ${height}" width="${width}" role="img" style="max-width:100%">` +
    `<title>${quoted(said)}</title>${draw({ x, y })}${frame}` +
    `<g font-size="11" fill="currentColor">${marks.join('')}</g></svg>`
  );
}

/** Text that HTML shows as it is. */
export function quoted(text: string): string {
  return text.replace(/[&<>"']/g, mark => `&#${mark.charCodeAt(0)};`);
}

function round([low, high]: Interval): readonly number[] {
  return high > low ? ticks(low, high) : [low];
}
