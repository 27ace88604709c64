/** All that a connector may import besides `schemas`. */
export * from './define.ts'
export * from './errors.ts'
export { HandOverRefused, type Http, type HttpRequest, type HttpResponse, judge, readResponse, readRetryAfter } from './http.ts'
export * from './identifiers.ts'
