"""The words that begin a message in the server's log, in the languages of lc_messages."""

from __future__ import annotations

from collections.abc import Mapping

# ruff: noqa: E501
_SEVERITIES: Mapping[str, str] = {
    "LOG": "LOGG ЗАПИСУВАННЯ СООБЩЕНИЕ ჟურნალი 로그 日志",
    "INFO": "ІНФОРМАЦІЯ ИНФОРМАЦИЯ ინფორმაცია 정보 信息",
    "NOTICE": "HINWEIS NOTIFICA NOTIS NOTA ЗАМЕЧАНИЕ ПОВІДОМЛЕННЯ 알림 注意",
    "WARNING": "WARNUNG ATTENTION ATTENZIONE VARNING AVISO ПРЕДУПРЕЖДЕНИЕ ПОПЕРЕДЖЕННЯ გაფრთხილება 경고 警告",
    "ERROR": "FEHLER ERREUR ERRORE FEL ERRO ОШИБКА ПОМИЛКА შეცდომა 오류 错误",
    "FATAL": "FATALE FATALT ВАЖНО ФАТАЛЬНО ფატალური 치명적오류 致命错误",
    "PANIC": "PANIK PANICO ПАНИКА ПАНІКА პანიკა 손상 比致命错误还过分的错误",
    "DEBUG": "ОТЛАДКА НАЛАГОДЖЕННЯ გამართვა 디버그 调试 DEBUG1 DEBUG2 DEBUG3 DEBUG4 DEBUG5",
}
_PARTS: Mapping[str, str] = {
    "DETAIL": "DETALLE|DÉTAIL|DETTAGLI|DETALJ|DETALHE|ПОДРОБНОСТИ|ВІДОМОСТІ|დეტალები|상세정보|詳細|详细信息",
    "HINT": "TIPP|ASTUCE|SUGGERIMENTO|TIPS|DICA|ПОДСКАЗКА|УКАЗІВКА|მინიშნება|힌트|ヒント|提示",
    "QUERY": "ANFRAGE|CONSULTA|REQUÊTE|FRÅGA|ЗАПРОС|ЗАПИТ|მოთხოვნა|쿼리|問い合わせ|查询",
    "CONTEXT": "ZUSAMMENHANG|CONTEXTO|CONTEXTE|CONTESTO|KONTEXT|КОНТЕКСТ|კონტექსტი|내용|文脈|上下文",
    "LOCATION": "ORT|UBICACIÓN|EMPLACEMENT|POSIZIONE|PLATS|LOCAL|ПОЛОЖЕНИЕ|РОЗТАШУВАННЯ|მდებარეობა|위치|場所|位置",
    "BACKTRACE": "PILE D'APPEL|СТЕК|ВІДСТЕЖУВАТИ|სტეკი|역추적|バックトレース",
    "STATEMENT": "ANWEISUNG|SENTENCIA|INSTRUCTION|ISTRUZIONE|SATS|COMANDO|ОПЕРАТОР|ІНСТРУКЦІЯ|ოპერატორი|명령 구문|文|语句",
}

SEVERITIES: Mapping[str, str] = {
    word: english for english, words in _SEVERITIES.items() for word in (english, *words.split(" "))
}
"""The severity that a word means."""

PARTS: Mapping[str, str] = {word: english for english, words in _PARTS.items() for word in (english, *words.split("|"))}
"""The part of a message, such as DETAIL, that a word begins."""


def severity_of(word: str) -> str:
    """Return the severity in English; the word itself if it is not known."""
    return SEVERITIES.get(word, word)
