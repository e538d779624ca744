/** Where the QPUs are drawn around the lab, which is at the origin. */

export interface IPlace {
  readonly x: number;
  readonly y: number;
}

/** Places of the first ring, and how many more each further one has. */
const FIRST = 8;
const MORE = 8;
/** The first ring's half axes; each further ring is so much wider and higher. */
const ACROSS = 210;
const DOWN = 185;

/** The places of so many QPUs: rings from the top, clockwise, the outer ones turned by half a step. */
export function ringed(count: number): IPlace[] {
  const places: IPlace[] = [];
  for (let ring = 1; places.length < count; ring += 1) {
    const here = Math.min(FIRST + MORE * (ring - 1), count - places.length);
    for (let n = 0; n < here; n += 1) {
      const turn = (n + (ring % 2 ? 0 : 0.5)) / here;
      const angle = 2 * Math.PI * turn - Math.PI / 2;
      places.push({ x: ring * ACROSS * Math.cos(angle), y: ring * DOWN * Math.sin(angle) });
    }
  }
  return places;
}

/** How thick the line to a QPU is: the quicker, the thicker; thin where nothing was measured. */
export function thickness(latency: number | null): number {
  if (latency === null) {
    return 1.5;
  }
  return Math.min(7, Math.max(1.5, 3 - 2 * Math.log10(latency / 0.01)));
}
