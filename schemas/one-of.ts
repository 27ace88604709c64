import { type TUnsafe, Type } from 'typebox'

/** A string out of a fixed list: `enum` in JSON Schema, a union of literals in TypeScript. */
export const oneOf = <const T extends string>(values: readonly T[], description?: string): TUnsafe<T> =>
  Type.Unsafe<T>({ type: 'string', enum: [...values], ...(description !== undefined && { description }) })
