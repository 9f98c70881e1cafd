import Foundation
import OrtooFFI

/// Why something was not done, by who has to act.
///
/// Every text that Swift or Foundation makes of it holds stable codes only, so that a log or a crash
/// report names nobody. Keys and sentences stand in `problems`: show them, never log them.
public enum OrtooError: Error {
    /// The request is wrong and nothing has changed: whoever asked can mend it.
    case wrong([Problem])
    /// The server was not reached, or not far enough. Nothing is lost; try again at any time.
    case noConnection([Problem])
    /// The phone was locked during an exchange. Nothing is lost. Who cancels a task gets its
    /// `CancellationError` instead.
    case cancelled([Problem])
    /// The store can't be opened, read or written.
    case store([Problem])
    /// The office had ordered this phone wiped, and an exchange did so: all that the server lacked was handed
    /// over, then the store was erased. Every later call on the phone says so too; whoever goes on working
    /// enrols anew.
    case wiped([Problem])
    /// A mistake in the library. What was in memory is dropped and the next call opens the store again:
    /// everything that was reported as saved is there.
    case `internal`([Problem])

    /// Everything that is wrong; never empty. The first is the one to show where there is room for one.
    public var problems: [Problem] {
        switch self {
        case .wrong(let problems), .noConnection(let problems), .cancelled(let problems),
            .store(let problems), .wiped(let problems), .internal(let problems):
            return problems
        }
    }

    /// The stable code of the first problem, such as `future_date`.
    public var code: String { problems.first?.code ?? "" }
}

extension OrtooError: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable,
    LocalizedError
{
    /// The codes.
    public var description: String { problems.map(\.code).joined(separator: ", ") }

    /// The codes.
    public var debugDescription: String { description }

    /// The codes, for `localizedDescription`. The sentence to show is `problems[0].message`.
    public var errorDescription: String? { description }

    /// The codes, for `dump` and whatever else looks inside.
    public var customMirror: Mirror { Mirror(self, children: ["codes": problems.map(\.code)]) }
}

/// Calls the library. The one place where its errors become ours: the generated ones print keys and
/// values.
func calling<T>(_ call: () throws -> T) throws -> T {
    do {
        return try call()
    } catch let error as PhoneError {
        switch error {
        case .Wrong(let problems): throw OrtooError.wrong(problems)
        case .NoConnection(let problems): throw OrtooError.noConnection(problems)
        case .Cancelled(let problems): throw OrtooError.cancelled(problems)
        case .Store(let problems): throw OrtooError.store(problems)
        case .Wiped(let problems): throw OrtooError.wiped(problems)
        case .Internal(let problems): throw OrtooError.internal(problems)
        }
    } catch {
        // What no call should come to: the library and these bindings are not of one build.
        let problem = Problem(code: "internal", key: "", message: "This program made a mistake.")
        throw OrtooError.internal([problem])
    }
}
