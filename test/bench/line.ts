// Straight lines through what was measured, by least squares: how fast something rises, and as which power of a number.

export interface Point {
  readonly x: number;
  readonly y: number;
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** @throws Error for fewer than two places on the x axis. */
export function slopeOf(points: readonly Point[]): number {
  const meanX = mean(points.map(({ x }) => x));
  const meanY = mean(points.map(({ y }) => y));
  const spread = points.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
  if (points.length < 2 || spread === 0) throw new Error('a line needs two points that are apart');
  return points.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0) / spread;
}

/**
 * p of y = a * x^p: 1 is linear, 2 quadratic. What does not depend on x makes it smaller.
 * @throws Error for what is not above 0.
 */
export function exponentOf(points: readonly Point[]): number {
  if (points.some(({ x, y }) => x <= 0 || y <= 0)) throw new Error('a power needs points above 0');
  return slopeOf(points.map(({ x, y }) => ({ x: Math.log(x), y: Math.log(y) })));
}
