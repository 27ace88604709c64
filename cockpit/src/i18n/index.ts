import i18next from 'i18next'
import { initReactI18next } from 'react-i18next'
import { en } from './en.ts'
import { ptBR } from './pt-BR.ts'

export const LANGUAGES = ['pt-BR', 'en'] as const
export type Language = (typeof LANGUAGES)[number]

const KEY = 'anuente-language'

function firstLanguage(): Language {
  const chosen = localStorage.getItem(KEY)
  if (chosen === 'pt-BR' || chosen === 'en') return chosen
  return navigator.language.toLowerCase().startsWith('pt') || !navigator.language ? 'pt-BR' : 'en'
}

void i18next.use(initReactI18next).init({
  lng: firstLanguage(),
  fallbackLng: 'pt-BR',
  resources: { 'pt-BR': { translation: ptBR }, en: { translation: en } },
  // React escapes what it renders.
  interpolation: { escapeValue: false },
})
document.documentElement.lang = i18next.language
i18next.on('languageChanged', (language) => {
  document.documentElement.lang = language
})

export function setLanguage(language: Language): void {
  localStorage.setItem(KEY, language)
  void i18next.changeLanguage(language)
}

export function currentLanguage(): Language {
  return i18next.language === 'en' ? 'en' : 'pt-BR'
}
