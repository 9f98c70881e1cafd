import Foundation
import Ortoo

/// Keeps a village's registers: GuideApp DIRECTORY [LINK], with the PIN in the environment.
@main
struct GuideApp {
    static func main() async {
        let arguments = CommandLine.arguments
        do {
            let directory = URL(fileURLWithPath: arguments[1])
            let link = arguments.count > 2 ? arguments[2] : nil
            let phone = try await open(directory, link: link)
            try await work(phone)
        } catch let error as OrtooError {
            // The sentence says what to do; the code is stable and may be logged.
            error.problems.forEach { print("\($0.message) (\($0.code))") }
            exit(1)
        } catch {
            print("stopped")
            exit(1)
        }
    }

    /// Opens the store, or makes it with the administrator's link if there is none yet.
    static func open(_ directory: URL, link: String?) async throws -> Phone {
        let pin = PhoneSecret.typed(ProcessInfo.processInfo.environment["ORTOO_PIN"] ?? "")
        do {
            return try await Phone.open(directory, secret: pin, language: .english)
        } catch let error as OrtooError where error.code == "store_missing" {
            guard let link = link else { throw error }
            let enrolled = try await Phone.enrol(
                directory, secret: pin, link: link, language: .english)
            print("This device is \(enrolled.device).")
            if let digits = enrolled.pendingDigits { print("Compare: \(digits)") }
            return try await Phone.open(directory, secret: pin, language: .english)
        }
    }

    static func work(_ phone: Phone) async throws {
        let home = try await phone.add(
            .household,
            values: [
                "household.household_no": "0101", "household.head_name": "巴特尔",
                "household.head_sex": "1", "household.area_type": "1",
                "household.residence_status": "1", "household.resident_population": "4",
                "household.resident_female": "2", "household.main_camp": "1",
            ])
        let woman = [
            "identity.name": "其其格", "identity.sex": "2", "identity.birth_date": "1985-06-07",
            "residence.since": "2015-03-01", "residence.status": "1", "residence.household": home,
        ]
        // A form asks before it saves: what it is refused for, and what is still to be filled in.
        let checked = try await phone.check(.new(subject: .person, unit: nil), values: woman)
        checked.refused.forEach { print("Wrong: \($0.message)") }
        checked.left.forEach { print("Still to be asked: \($0.key)") }
        if checked.refused.isEmpty { _ = try await phone.add(.person, values: woman) }

        for person in try await phone.list(.person) {
            print(person.text("identity.name") ?? "", person.text("identity.birth_date") ?? "")
        }
        // Without a network nothing is lost: everything is on this device and goes out another time.
        do {
            for try await step in phone.exchangeWithProgress() {
                switch step {
                case .progress(let soFar): print("\(soFar.unsent) changes still to be sent")
                case .finished(let report): print("Sent \(report.bytesUp) bytes.")
                }
            }
        } catch OrtooError.noConnection(let problems) {
            print(problems[0].message)
        }
        for task in try await phone.tasks(days: 30) {
            print("\(task.due): \(task.title.text(.english)), \(task.label)")
        }
    }
}
