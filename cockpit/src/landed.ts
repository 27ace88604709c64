/**
 * What a vendor sent the browser back with, read before the router tidies the address: it is in no link anybody copies.
 */
export const landed =
  location.pathname === '/oauth/callback'
    ? Object.fromEntries(new URLSearchParams(location.search))
    : ({} as Record<string, string>)
if (location.pathname === '/oauth/callback') history.replaceState(null, '', '/oauth/callback')
