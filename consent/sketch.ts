/**
 * How many different people, without remembering one: HyperLogLog with 1024 registers (Flajolet et al., 2007),
 * off by about 3 %. What a register holds is the length of a run of zeros; nobody can be read out of it.
 */
const REGISTERS = 1024

export const emptySketch = (): Uint8Array => new Uint8Array(REGISTERS)

/** @param hash at least 8 bytes that are as good as random, such as an HMAC. */
export function addToSketch(sketch: Uint8Array, hash: Uint8Array): void {
  const register = ((hash[0]! << 8) | hash[1]!) & (REGISTERS - 1)
  let rank = 1
  for (let index = 2; index < 8; index++) {
    const byte = hash[index]!
    if (byte === 0) {
      rank += 8
      continue
    }
    rank += Math.clz32(byte) - 24
    break
  }
  if (rank > sketch[register]!) sketch[register] = rank
}

export function mergeSketches(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((rank, index) => Math.max(rank, b[index] ?? 0))
}

export function countOf(sketch: Uint8Array): number {
  let sum = 0
  let empty = 0
  for (const rank of sketch) {
    sum += 2 ** -rank
    if (rank === 0) empty++
  }
  const raw = (0.7213 / (1 + 1.079 / REGISTERS)) * (REGISTERS * REGISTERS) * (1 / sum)
  // Few people leave registers empty, and those tell better.
  return Math.round(raw <= 2.5 * REGISTERS && empty > 0 ? REGISTERS * Math.log(REGISTERS / empty) : raw)
}
