import { Alert, Button, CopyButton } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import type { ConnectionAnswer } from '../../../schemas/connections.ts'
import { linkTo } from '../address.ts'
import { fetchMe, post } from '../api.ts'
import { landed } from '../landed.ts'
import { Gate } from '../parts/gate.tsx'
import { Loading, useFailureText } from '../parts/states.tsx'

const { code, state } = landed
/** Begun by `anuente connect`: the code is wanted there. */
const terminal = state?.startsWith('terminal.') === true

/** Where a vendor sends the browser back to. The code goes on only with the session that began. */
export function OAuthCallbackPage() {
  const { t } = useTranslation()
  const failureText = useFailureText()
  const finish = useMutation({
    mutationFn: async () => {
      // The page was opened from elsewhere: the session's value for writes is asked for first.
      await fetchMe()
      return post<ConnectionAnswer>('/api/connections/finish', { code, state })
    },
  })
  const begun = useRef(false)
  const { mutate } = finish
  useEffect(() => {
    // A code is good once.
    if (begun.current || terminal || code === undefined || state === undefined) return
    begun.current = true
    mutate()
  }, [mutate])
  return (
    <Gate title={t('connections.callback.title')} intro={t('login.intro')}>
      {code === undefined || state === undefined ? (
        <Alert color="yellow" variant="outline" title={t('connections.callback.denied')}>
          {t('connections.callback.deniedText')}
        </Alert>
      ) : terminal ? (
        <Terminal code={code} />
      ) : finish.data ? (
        <Alert
          color="green"
          variant="outline"
          title={t('connections.callback.done', { destination: finish.data.destination })}
        >
          {t('connections.callback.doneText')}
        </Alert>
      ) : finish.error ? (
        <Alert color="red" variant="outline" role="alert" title={t('connections.callback.failed')}>
          {failureText(finish.error)}
        </Alert>
      ) : (
        <>
          <p className="quiet">{t('connections.callback.working')}</p>
          <Loading />
        </>
      )}
      {!terminal && (
        <Button component={Link} {...linkTo('/connectors')} variant="default" mt="md">
          {t('connections.callback.toConnectors')}
        </Button>
      )}
    </Gate>
  )
}

function Terminal({ code }: { code: string }) {
  const { t } = useTranslation()
  return (
    <>
      <h2 style={{ fontSize: '1.125rem', marginTop: 0 }}>{t('connections.callback.terminal')}</h2>
      <p>{t('connections.callback.terminalText')}</p>
      <div className="connector-part">{t('connections.callback.code')}</div>
      <p className="mono" style={{ overflowWrap: 'anywhere' }}>
        {code}
      </p>
      <CopyButton value={code}>
        {({ copied, copy }) => (
          <Button variant="default" onClick={copy}>
            {t(copied ? 'connections.callback.copied' : 'connections.callback.copy')}
          </Button>
        )}
      </CopyButton>
    </>
  )
}
