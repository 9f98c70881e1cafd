package ortoo

/** What [Phone.exchangeWithProgress] tells. */
public sealed interface ExchangeStep {

    /** A round came through. A screen that is slow sees the latest only; each says it all. */
    public data class Progress(
        /** What the exchange has moved so far. */
        val moved: ExchangeReport,
        /** Saved changes that the server is not known to hold yet. */
        val unsent: Long,
    ) : ExchangeStep

    /** The exchange has come to its end; the last step. */
    public data class Finished(
        /** What it moved. */
        val report: ExchangeReport,
    ) : ExchangeStep
}
