// Products of matrices in flat arrays: the one hot loop of forward pass, gradient and maps.

/**
 * @typedef {Float32Array | Float64Array} Values
 * @typedef {{values: Values, row: number, column: number}} Matrix
 *   values[i * row + j * column] is the entry (i, j), so that a transpose costs nothing.
 */

/**
 * A matrix stored row after row, of rows of the given length.
 * @param {Values} values
 * @param {number} length
 * @returns {Matrix}
 */
export function matrix(values, length) {
  return { values, row: length, column: 1 };
}

/**
 * The same entries with rows and columns exchanged.
 * @param {Matrix} a
 * @returns {Matrix}
 */
export function transposed(a) {
  return { values: a.values, row: a.column, column: a.row };
}

/**
 * Write a b + bias into out (rows, columns), row after row; sums in double precision.
 *
 * In blocks of four by four: sixteen sums stay in registers while eight numbers are read.
 * @param {Matrix} a (rows, inner)
 * @param {Matrix} b (inner, columns)
 * @param {Values | null} bias one number for each row, or nothing
 * @param {Values} out
 * @param {number} rows
 * @param {number} inner
 * @param {number} columns
 */
export function multiply(a, b, bias, out, rows, inner, columns) {
  const [wholeRows, wholeColumns] = [rows - (rows % 4), columns - (columns % 4)];
  for (let i = 0; i < wholeRows; i += 4) {
    for (let j = 0; j < wholeColumns; j += 4) block(a, b, bias, out, i, j, inner, columns);
  }
  for (let i = 0; i < rows; i++) {
    const first = i < wholeRows ? wholeColumns : 0;
    rest(a, b, bias ? bias[i] : 0, out, i, first, inner, columns);
  }
}

/**
 * @param {Matrix} a @param {Matrix} b @param {Values | null} bias @param {Values} out
 * @param {number} i @param {number} j @param {number} inner @param {number} columns
 */
function block(a, b, bias, out, i, j, inner, columns) {
  const { values: left, row, column } = a;
  const { values: right, row: below, column: beside } = b;
  const [row2, row3, beside2, beside3] = [2 * row, 3 * row, 2 * beside, 3 * beside];
  const bias0 = bias ? bias[i] : 0;
  const bias1 = bias ? bias[i + 1] : 0;
  const bias2 = bias ? bias[i + 2] : 0;
  const bias3 = bias ? bias[i + 3] : 0;
  let [s00, s01, s02, s03] = [bias0, bias0, bias0, bias0];
  let [s10, s11, s12, s13] = [bias1, bias1, bias1, bias1];
  let [s20, s21, s22, s23] = [bias2, bias2, bias2, bias2];
  let [s30, s31, s32, s33] = [bias3, bias3, bias3, bias3];
  for (let k = 0, p = i * row, q = j * beside; k < inner; k++, p += column, q += below) {
    const b0 = right[q];
    const b1 = right[q + beside];
    const b2 = right[q + beside2];
    const b3 = right[q + beside3];
    const a0 = left[p];
    const a1 = left[p + row];
    const a2 = left[p + row2];
    const a3 = left[p + row3];
    s00 += a0 * b0;
    s01 += a0 * b1;
    s02 += a0 * b2;
    s03 += a0 * b3;
    s10 += a1 * b0;
    s11 += a1 * b1;
    s12 += a1 * b2;
    s13 += a1 * b3;
    s20 += a2 * b0;
    s21 += a2 * b1;
    s22 += a2 * b2;
    s23 += a2 * b3;
    s30 += a3 * b0;
    s31 += a3 * b1;
    s32 += a3 * b2;
    s33 += a3 * b3;
  }
  store(out, i * columns + j, s00, s01, s02, s03);
  store(out, (i + 1) * columns + j, s10, s11, s12, s13);
  store(out, (i + 2) * columns + j, s20, s21, s22, s23);
  store(out, (i + 3) * columns + j, s30, s31, s32, s33);
}

/**
 * @param {Values} out @param {number} at
 * @param {number} a @param {number} b @param {number} c @param {number} d
 */
function store(out, at, a, b, c, d) {
  out[at] = a;
  out[at + 1] = b;
  out[at + 2] = c;
  out[at + 3] = d;
}

/**
 * One row from a column on.
 * @param {Matrix} a @param {Matrix} b @param {number} bias @param {Values} out
 * @param {number} i @param {number} first @param {number} inner @param {number} columns
 */
function rest(a, b, bias, out, i, first, inner, columns) {
  const { values: left, row, column } = a;
  const { values: right, row: below, column: beside } = b;
  for (let j = first; j < columns; j++) {
    let sum = bias;
    for (let k = 0, p = i * row, q = j * beside; k < inner; k++, p += column, q += below) {
      sum += left[p] * right[q];
    }
    out[i * columns + j] = sum;
  }
}
