/**
 * How hard the property and fault tests try. `npm test` keeps to a person's patience;
 * `npm run test:long` sets ANUENTE_EFFORT and the same tests run that many times as many cases.
 */
const EFFORT = Math.max(1, Number(process.env['ANUENTE_EFFORT']) || 1)

/** @param usual cases in `npm test`. */
export const cases = (usual: number): number => Math.ceil(usual * EFFORT)

/** Time limit in milliseconds of a test that runs `cases(…)`. */
export const patience = (usual: number): number => Math.min(usual * EFFORT, 60 * 60_000)
