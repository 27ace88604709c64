/** All that a connector may import besides `schemas`. */
export { type Static, Type } from 'typebox'
export * from './bisect.ts'
export * from './commerce.ts'
export * from './define.ts'
export * from './errors.ts'
export * from './event-mapping.ts'
export * from './feedback-token.ts'
export { examineFile, fileChunks } from './file-rows.ts'
export * from './google.ts'
export * from './gpc.ts'
export * from './hashing.ts'
export {
  axiosOver,
  HandOverRefused,
  type Http,
  type HttpRequest,
  type HttpResponse,
  judge,
  readResetTime,
  readResponse,
  readRetryAfter,
} from './http.ts'
export * from './identifiers.ts'
export * from './json-body.ts'
export * from './legal-bases.ts'
export * from './local-values.ts'
export * from './mail-request.ts'
export * from './oauth.ts'
export * from './payload-fields.ts'
export * from './read-path.ts'
export * from './segment-spec.ts'
export * from './spec-actions.ts'
export * from './spec-call.ts'
export * from './spec-names.ts'
export * from './table.ts'
export * from './vendor-sdk.ts'
export * from './watched-folder.ts'
export * from './write-key.ts'
