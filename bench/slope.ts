/** What `values` gain for each unit of `times`: the line with the least squares; NaN for fewer than two times. */
export function slope(times: ArrayLike<number>, values: ArrayLike<number>): number {
  const count = times.length;
  let [timeSum, valueSum] = [0, 0];
  for (let at = 0; at < count; at++) {
    timeSum += times[at]!;
    valueSum += values[at]!;
  }
  let [products, squares] = [0, 0];
  for (let at = 0; at < count; at++) {
    const time = times[at]! - timeSum / count;
    products += time * (values[at]! - valueSum / count);
    squares += time * time;
  }
  return products / squares;
}
