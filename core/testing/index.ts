/** What a connector's tests import. */
export * from './destination-contract.ts'
export * from './events.ts'
export * from './example-run.ts'
export * from './sandbox.ts'
export * from './source-contract.ts'
